"""The tests of an integrator in Python, with authlib, requests and `mintmark sandbox`."""

import json
import os
import subprocess
import time
import unittest

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.jose.errors import ExpiredTokenError
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

LIFE_SECONDS = 8
EARLY_SECONDS = 4


class Tokens:
    """What the integrator wrote: keeps a token, renews it early, and retries as the server says."""

    def __init__(self, token_url, client_id, client_secret):
        self.session = OAuth2Session(client_id, client_secret)
        retry = Retry(total=4, backoff_factor=0.1, status_forcelist=[429, 503], allowed_methods=None)
        self.session.mount('http://', HTTPAdapter(max_retries=retry))
        self.token_url = token_url
        self.token = None

    def get(self):
        if self.token is None or self.token['expires_at'] - EARLY_SECONDS < time.time():
            self.token = self.session.fetch_token(self.token_url, grant_type='client_credentials')
        return self.token['access_token']


class IntegratorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command = os.environ.get('MINTMARK', 'mintmark').split()
        options = ['--port', '0', '--control-port', '0', '--token-life', f'{LIFE_SECONDS}s', '--json']
        cls.process = subprocess.Popen([*command, 'sandbox', *options], stdout=subprocess.PIPE, text=True)
        cls.sandbox = json.loads(cls.process.stdout.readline())

    @classmethod
    def tearDownClass(cls):
        cls.process.terminate()
        cls.process.stdout.close()
        assert cls.process.wait() == 0

    def setUp(self):
        self.sandbox = self.control('POST', '/reset')
        self.tokens = Tokens(
            self.sandbox['token_url'], self.sandbox['client_id'], self.sandbox['client_secret']
        )
        self.addCleanup(self.tokens.session.close)

    def control(self, method, path, body=None):
        response = requests.request(method, self.sandbox['control_url'] + path, json=body)
        self.assertLess(response.status_code, 300, response.text)
        return response.json() if response.content else None

    def statuses(self):
        items = self.control('GET', '/requests')['items']
        return [item['status'] for item in items if item['endpoint'] == 'token']

    def claims(self, token):
        """Verifies as an API with authlib does."""
        keys = JsonWebKey.import_key_set(requests.get(self.sandbox['jwks_url']).json())
        claims = JsonWebToken(['ES256']).decode(
            token, keys, claims_options={'iss': {'essential': True, 'value': self.sandbox['issuer']}}
        )
        claims.validate()
        return claims

    def test_issuer_is_that_of_the_metadata(self):
        metadata = requests.get(self.sandbox['issuer'] + '/.well-known/openid-configuration').json()
        self.assertEqual(metadata['issuer'], self.sandbox['issuer'])
        self.assertEqual(metadata['token_endpoint'], self.sandbox['token_url'])
        self.assertEqual(self.claims(self.tokens.get())['client_id'], self.sandbox['client_id'])

    def test_token_is_kept_renewed_early_and_expires(self):
        first = self.tokens.get()
        self.assertEqual(self.tokens.get(), first)
        time.sleep(LIFE_SECONDS - EARLY_SECONDS + 0.1)
        second = self.tokens.get()
        self.assertNotEqual(second, first)
        self.claims(first)
        self.assertEqual(self.statuses(), [200, 200])
        expired = self.control('POST', '/tokens', {'client_id': self.sandbox['client_id'], 'expired': True})
        with self.assertRaises(ExpiredTokenError):
            self.claims(expired['access_token'])

    def test_retry_after_is_honoured(self):
        self.control('POST', '/faults/next', {'faults': [{'status': 429, 'retry_after': 1}]})
        started = time.monotonic()
        self.tokens.get()
        self.assertGreaterEqual(time.monotonic() - started, 1)
        self.assertEqual(self.statuses(), [429, 200])

    def test_old_key_verifies_after_a_rotation_and_not_after_a_withdrawal(self):
        first = self.tokens.get()
        self.control('POST', '/faults/rotate-key')
        self.tokens.token = None
        second = self.tokens.get()
        self.assertNotEqual(self.claims(second).header['kid'], self.claims(first).header['kid'])
        self.control('POST', '/faults/withdraw-key')
        with self.assertRaises(ValueError):
            self.claims(first)

    def test_revoked_token_is_not_active(self):
        api = self.control('POST', '/api-users', {'scopes': ['mintmark:introspect']})
        token = self.tokens.get()

        def active():
            url = self.sandbox['base_url'] + '/oauth2/introspect'
            response = requests.post(url, {'token': token}, auth=(api['client_id'], api['client_secret']))
            return response.json()['active']

        self.assertTrue(active())
        self.control('POST', '/faults/revoke-tokens', {'client_id': self.sandbox['client_id']})
        self.assertFalse(active())

    def test_outage_of_ten_minutes_ends_with_the_clock(self):
        fault = {'endpoint': 'token', 'status': 500}
        self.control('POST', '/faults/during', {'for': '10 min', 'fault': fault})
        with self.assertRaises(requests.HTTPError):
            self.tokens.get()
        self.control('POST', '/clock/advance', {'by': '10 min'})
        self.tokens.get()
        self.assertEqual(self.statuses(), [500, 200])


if __name__ == '__main__':
    unittest.main()
