"""A self-signed certificate for localhost, made anew for each server; needs pyOpenSSL and cryptography."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.ssl import PrivateCertificate

__all__ = ["make_files", "make_options"]


def _make() -> tuple[bytes, bytes]:
    """Make a key and a certificate, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, public


def make_options() -> tuple[Any, str]:
    """Make a key and a certificate.

    :returns: the context factory to listen with, and the certificate as PEM for those who are to trust it.
    """
    private, public = _make()
    return PrivateCertificate.loadPEM(public + private).options(), public.decode("ascii")


def make_files(*places: tuple[Path, Path]) -> None:
    """Make a key and a certificate, and write them to files.

    :param places: files for the key and the certificate; all pairs get the same two.
    """
    private, public = _make()
    for key, certificate in places:
        key.write_bytes(private)
        certificate.parent.mkdir(exist_ok=True)
        certificate.write_bytes(public)
