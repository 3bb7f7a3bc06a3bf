class DarkroomController < ApplicationController
  skip_forgery_protection only: :webhook # signed instead

  # GET /darkroom-token
  def token
    return head :unauthorized unless current_user
    claims = { sub: current_user.id.to_s, scope: "upload", exp: Time.now.to_i + 600 }
    response.headers["Cache-Control"] = "no-store"
    render plain: JWT.encode(claims, ENV.fetch("AUTH_SECRET"), "HS256")
  end

  # POST /darkroom-webhook
  def webhook
    return head :unauthorized unless signed?
    data = JSON.parse(request.raw_post)["data"]
    # data["id"] is now data["status"]; it may come twice and late: pass over a data["rev"] that is not greater
    head :no_content
  end

  private

  def signed?
    id, timestamp, signatures = %w[id timestamp signature].map { |name| request.headers["webhook-#{name}"].to_s }
    return false unless (Time.now.to_i - timestamp.to_i).abs <= 300
    key = ENV.fetch("WEBHOOK_SECRET").delete_prefix("whsec_").unpack1("m")
    mac = OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.#{request.raw_post}")
    expected = "v1,#{[mac].pack("m0")}"
    signatures.split(" ").any? { |given| ActiveSupport::SecurityUtils.secure_compare(expected, given) }
  end
end
