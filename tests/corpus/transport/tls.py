"""Contexts for both ends of a TLS connection."""

import ssl
import tempfile

PEM = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZIhpVwbqOBEgCk/6
JqEm0umdT+d+1QXg6bh6QWEJ1duhRANCAATiW7kEkSMyltWwyevrBl/fUDBkU433
K8rGaVADBYcq/sBTUwupeSf2GjvD9/ERKRZ5GJBTolqO075jquZQzNc1
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUU0XPUq8c4kQa3aVTozqzAMtu5LYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTA0MDQyNFoYDzIxMjYxMDI4
MDQwNDI0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATiW7kEkSMyltWwyevrBl/fUDBkU433K8rGaVADBYcq/sBTUwupeSf2
GjvD9/ERKRZ5GJBTolqO075jquZQzNc1o2kwZzAdBgNVHQ4EFgQUU/9py3qSQ6Jm
eqq4YvsAhBMxzFkwHwYDVR0jBBgwFoAUU/9py3qSQ6Jmeqq4YvsAhBMxzFkwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SAAwRQIhAODGKOGAWEiRe5MJsWY4ulRUQ5bEmHOVcJ793YW+1padAiAaDcz43FG/
3/FA3yf6Hk6kS3OZxulXTx/3J7ung79Isw==
-----END CERTIFICATE-----
"""
"""A key for these cases alone, and its own certificate for a hundred years."""


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(PEM)
        file.flush()
        server.load_cert_chain(file.name)
    client.load_verify_locations(cadata=PEM[PEM.index("-----BEGIN CERT") :])
    return server, client
