"""The session as the API's documentation shows it."""

SESSION = {
    "did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
    "role": "artist",
    "account": {
        "did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
        "handle": "alice.test",
        "pds_url": "https://pds.example.com",
        "state": "active",
        "reason": None,
    },
    "token": None,
}

OAUTH_BEGUN = {
    "url": "https://pds.example.com/oauth/authorize?client_id=https%3A%2F%2Fapi.example.com&request_uri=urn%3A1"
}

CLIENT_METADATA = {
    "client_id": "https://api.example.com/oauth/client-metadata.json",
    "client_name": "Backline",
    "client_uri": "https://api.example.com",
    "application_type": "web",
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "redirect_uris": ["https://api.example.com/oauth/callback"],
    "scope": "atproto repo:fm.backline.track blob:audio/*",
    "token_endpoint_auth_method": "none",
    "dpop_bound_access_tokens": True,
}
