"""A certificate and a service account for servers on this machine that play Google's."""

import datetime
import ipaddress
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_HOUR, _MONTH = datetime.timedelta(hours=1), datetime.timedelta(days=30)


class Identity(NamedTuple):
    """A private key and the certificate that it signed, both as PEM."""

    key: bytes
    certificate: bytes


def make_identity(hosts: Sequence[str] = ()) -> Identity:
    """Return an identity of 127.0.0.1 and of these hosts; clients trust it as their only root."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "towerlab test")])
    names = [
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        *(x509.DNSName(host) for host in hosts),
    ]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _HOUR)
        .not_valid_after(now + _MONTH)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    written = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Identity(written, certificate.public_bytes(serialization.Encoding.PEM))


def write_service_account(path: Path, identity: Identity, token_uri: str) -> None:
    """Write the credentials of an account, which asks for tokens at a URI of ours."""
    account = {
        "type": "service_account",
        "project_id": "shop",
        "client_email": "runner@shop.iam.gserviceaccount.com",
        "private_key": identity.key.decode(),
        "private_key_id": "1",
        "token_uri": token_uri,
    }
    path.write_text(json.dumps(account))
