# oauth2 for Ruby: the client credentials of its README, and a new token after expiry.
require 'oauth2'
require 'uri'

token_url = URI(ENV.fetch('MINTMARK_TOKEN_URL'))
client = OAuth2::Client.new(
  ENV.fetch('MINTMARK_CLIENT_ID'),
  ENV.fetch('MINTMARK_CLIENT_SECRET'),
  site: "#{token_url.scheme}://#{token_url.host}:#{token_url.port}",
  token_url: token_url.path
)
token = client.client_credentials.get_token

calls = Queue.new
ENV.fetch('MINTMARK_CALLS').to_i.times { |number| calls << number }
calls.close

workers = Array.new(ENV.fetch('MINTMARK_PARALLEL').to_i) do
  Thread.new do
    while calls.pop
      token = client.client_credentials.get_token if token.expired?
      token.get(ENV.fetch('MINTMARK_API_URL'))
    end
  end
end
workers.each(&:join)
