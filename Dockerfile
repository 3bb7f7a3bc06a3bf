# The worker for machines of one's own: `docker build -t darkroom .`, settings in the environment (docs/outside-aws.md).
FROM node:24-bookworm-slim
WORKDIR /darkroom
ENV NODE_ENV=production
COPY package.json package-lock.json .npmrc ./
# sharp's and libheif's code comes as packages; nothing is compiled.
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force
# Yours, where you have one (docs/presets.md); COPY takes a pattern that nothing matches.
COPY serverless.yml darkroom.config.t[s] ./
COPY adapters adapters
COPY cli cli
COPY client client
COPY core core
COPY functions functions
COPY deploy/infra deploy/infra
COPY host host
COPY pixels pixels
USER node
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "cli/darkroom.ts"]
CMD ["worker", "--set-up", "--health-host", "0.0.0.0"]
