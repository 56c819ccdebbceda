"""The certificate of the broker, and the authority that signs it, which only partners trust."""

import ipaddress
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class KeyAndCertificate(NamedTuple):
    """A private key (PKCS 8) and its certificate, both as PEM."""

    key: bytes
    certificate: bytes


def create_authority(name: str, begins: datetime, ends: datetime) -> KeyAndCertificate:
    """A new authority, which may sign certificates of servers only."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    built = (
        _builder(subject, subject, key, begins, ends)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pair(key, built)


def create_server_certificate(
    signer: KeyAndCertificate, names: Sequence[str], begins: datetime, ends: datetime
) -> KeyAndCertificate:
    """A new certificate of a server with these host names or addresses.

    Raises:
        ValueError: the signer cannot be read.
    """
    signing_key = load_pem_private_key(signer.key, None)
    if not isinstance(signing_key, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is not an elliptic curve key")  # noqa: TRY004  like other unreadable input
    issuer = x509.load_pem_x509_certificate(signer.certificate)
    key = ec.generate_private_key(ec.SECP256R1())
    built = (
        _builder(_name(names[0]), issuer.subject, key, begins, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([_alternative(name) for name in dict.fromkeys(names)]), critical=False
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .sign(signing_key, hashes.SHA256())
    )
    return _pair(key, built)


def needs_renewal(pem: bytes, host: str, until: datetime) -> bool:
    """Whether a server's certificate expires before `until`, or does not name `host`.

    Raises:
        ValueError: it cannot be read.
    """
    certificate = x509.load_pem_x509_certificate(pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return certificate.not_valid_after_utc < until or _alternative(host) not in names


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pair(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> KeyAndCertificate:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return KeyAndCertificate(private, certificate.public_bytes(Encoding.PEM))
