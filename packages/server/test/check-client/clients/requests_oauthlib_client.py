# requests-oauthlib: the Backend Application Flow of its documentation, and a new token after expiry.
import os
from concurrent.futures import ThreadPoolExecutor

from oauthlib.oauth2 import BackendApplicationClient, TokenExpiredError
from requests_oauthlib import OAuth2Session

# The token endpoint of the check has no TLS.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

client_id = os.environ["MINTMARK_CLIENT_ID"]
oauth = OAuth2Session(client=BackendApplicationClient(client_id=client_id))


def fetch_token():
    oauth.fetch_token(
        token_url=os.environ["MINTMARK_TOKEN_URL"],
        client_id=client_id,
        client_secret=os.environ["MINTMARK_CLIENT_SECRET"],
    )


def call(_):
    url = os.environ["MINTMARK_API_URL"]
    try:
        response = oauth.get(url)
    except TokenExpiredError:
        fetch_token()
        response = oauth.get(url)
    response.raise_for_status()


fetch_token()
with ThreadPoolExecutor(max_workers=int(os.environ["MINTMARK_PARALLEL"])) as pool:
    list(pool.map(call, range(int(os.environ["MINTMARK_CALLS"]))))
