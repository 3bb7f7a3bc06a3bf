import "darkroom/client/service-worker";
