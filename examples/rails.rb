# All of a small shop in Rails. In place of its sign-in: everybody is DEMO_USER.
#
#   AUTH_SECRET=$(cat .darkroom/secret) WEBHOOK_SECRET=whsec_… ruby examples/rails.rb 4000
require "rails"
require "action_controller/railtie"
require "active_record"
require "net/http"
require "rack/handler/webrick"

API = ENV.fetch("API", "http://localhost:3001")
AUTH_SECRET = ENV.fetch("AUTH_SECRET")
WEBHOOK_KEY = ENV.fetch("WEBHOOK_SECRET").delete_prefix("whsec_").unpack1("m")

class Shop < Rails::Application
  config.secret_key_base = AUTH_SECRET # one of your own, in earnest
  config.eager_load = false
  config.logger = Logger.new(File::NULL)
  routes.append do
    root "shop#pictures"
    get "darkroom-token", to: "shop#token"
    post "darkroom-webhook", to: "shop#webhook"
    post "delete-me", to: "shop#delete_me"
  end
end

ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: ENV.fetch("DATABASE", "shop.db"))
class Image < ActiveRecord::Base
  unless table_exists? # a migration, in a project
    connection.create_table(:images, id: :string) do |table|
      table.string :owner, index: true
      table.integer :rev
      table.string :status
    end
  end
end

module Darkroom
  def self.token(owner, scope)
    claims = { sub: owner, scope: scope, exp: Time.now.to_i + 600 }
    signed = [{ alg: "HS256" }, claims].map { |part| Base64.urlsafe_encode64(part.to_json, padding: false) }.join(".")
    mac = OpenSSL::HMAC.digest("SHA256", AUTH_SECRET, signed)
    "#{signed}.#{Base64.urlsafe_encode64(mac, padding: false)}"
  end

  # The answer's JSON; nil of what was deleted.
  def self.call(method, path, body = nil)
    headers = { "authorization" => "Bearer #{token("shop", "admin")}", "content-type" => "application/json" }
    uri = URI(API)
    answer = Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == "https") do |http|
      http.send_request(method, path, body&.to_json, headers)
    end
    return if answer.code == "410"
    raise "Darkroom answers #{answer.code}" unless answer.is_a?(Net::HTTPSuccess)
    JSON.parse(answer.body)
  end
end

class ShopController < ActionController::Base
  protect_from_forgery with: :exception
  skip_forgery_protection only: :webhook # signed instead
  prepend_view_path __dir__
  PAGE = <<~ERB
    <!doctype html><title>Pictures</title>
    <% @images.each do |image| %>
      <%= render inline: File.read("#{__dir__}/picture.html.erb"), locals: { picture: image["picture"], alt: image["alt"] } %>
    <% end %>
    <%= button_to "Delete me and my pictures", "/delete-me" %>
  ERB

  # What is private comes with URLs that open for an hour.
  def pictures
    images = Image.where(owner: user, status: "ready")
    @images = images.filter_map { |image| Darkroom.call("GET", "/images/#{image.id}") }
    response.headers["Cache-Control"] = "no-store"
    render inline: PAGE
  end

  def token
    response.headers["Cache-Control"] = "no-store"
    render plain: Darkroom.token(user, "upload")
  end

  def webhook
    return head :unauthorized unless signed?
    event = JSON.parse(request.raw_post)
    data = event["data"]
    fields = { rev: data["rev"], status: data["status"] }
    owner = event.dig("context", "owner")
    fields[:owner] = "" if data["status"] == "deleted"
    fields[:owner] ||= owner if owner
    # It may come twice and late: what is not newer changes nothing.
    Image.create_with(fields).create_or_find_by!(id: data["id"])
    Image.where(id: data["id"]).where("rev < ?", data["rev"]).update_all(fields)
    head :no_content
  end

  def delete_me
    # End the user's sessions first: no more tokens. Webhooks tell of each image when it is gone.
    Darkroom.call("POST", "/admin/reprocess", { action: "delete", select: { owner: user } })
    redirect_to "/"
  end

  private

  def user
    ENV.fetch("DEMO_USER", "42") # current_user.id.to_s; without one, head :unauthorized
  end

  def signed?
    id, timestamp, signatures = %w[id timestamp signature].map { |name| request.headers["webhook-#{name}"].to_s }
    return false unless (Time.now.to_i - timestamp.to_i).abs <= 300
    mac = OpenSSL::HMAC.digest("SHA256", WEBHOOK_KEY, "#{id}.#{timestamp}.#{request.raw_post}")
    expected = "v1,#{[mac].pack("m0")}"
    signatures.split(" ").any? { |given| ActiveSupport::SecurityUtils.secure_compare(expected, given) }
  end
end

if $PROGRAM_NAME == __FILE__
  Shop.initialize!
  log = WEBrick::Log.new(File::NULL)
  Rack::Handler::WEBrick.run(Shop, Host: "127.0.0.1", Port: ARGV.fetch(0, "4000").to_i, Logger: log, AccessLog: [])
end
