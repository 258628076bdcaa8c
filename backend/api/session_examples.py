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
