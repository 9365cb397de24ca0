"""A keystore as SROS 2 lays it out: a certificate authority, and keys and permissions by enclave.

public/     certificates of the authority
private/    its key: who has it can make keys for anybody; it may lie elsewhere
enclaves/   governance, and <enclave>/ with key, certificate and permissions of its holder
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs7,
)
from cryptography.x509.oid import NameOID

from hrl_bringup.security.permits import Permit
from hrl_bringup.security.policy import governance_xml, permissions_xml, policy_xml
from hrl_core.config import ConfigError
from hrl_master.approver_keys import write_secret

AUTHORITY_DAYS = 3650
# The roles of the one authority; the files of both are the same.
ROLES = ("identity_ca", "permissions_ca")
CLOCKS_MAY_DIFFER = timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """Signs certificates and permissions."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def sign_file(self, content: bytes) -> bytes:
        """As S/MIME, with the content readable in front."""
        builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
        builder = builder.add_signer(self.certificate, self.key, hashes.SHA256())
        options = [pkcs7.PKCS7Options.Text, pkcs7.PKCS7Options.DetachedSignature]
        return builder.sign(Encoding.SMIME, options)


def write_keystore(
    folder: Path, private: Path, permits: Iterable[Permit], namespace: str, days: int
) -> datetime:
    """Write keys and permissions for all permits; returns when the first of them expires (UTC).

    An authority that is there signs again, so that keys are renewed by doing it once more; those
    of nodes that are no more are removed. `private`: folder of the authority's
    key. Raises ConfigError where only half of an authority is there.
    """
    permits = tuple(permits)
    authority = _authority(folder, private)
    begin = datetime.now(timezone.utc) - CLOCKS_MAY_DIFFER
    end = min(
        datetime.now(timezone.utc) + timedelta(days=days), authority.certificate.not_valid_after_utc
    )
    enclaves = folder / "enclaves"
    for ours in {permit.enclave.split("/")[1] for permit in permits}:
        shutil.rmtree(enclaves / ours, ignore_errors=True)
    enclaves.mkdir(parents=True, exist_ok=True)
    (folder / "policy.xml").write_bytes(policy_xml(permits, namespace))
    governance = governance_xml()
    (enclaves / "governance.xml").write_bytes(governance)
    signed_governance = authority.sign_file(governance)
    (enclaves / "governance.p7s").write_bytes(signed_governance)
    for permit in permits:
        place = enclaves / permit.enclave.lstrip("/")
        place.mkdir(parents=True)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(permit.enclave, key, begin, end, authority)
        permissions = permissions_xml(permit, namespace, begin, end)
        write_secret(place / "key.pem", _as_pem(key))
        (place / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (place / "permissions.xml").write_bytes(permissions)
        (place / "permissions.p7s").write_bytes(authority.sign_file(permissions))
        # Copies, so that the folder of one enclave is all that its node needs.
        (place / "governance.p7s").write_bytes(signed_governance)
        for role in ROLES:
            pem = authority.certificate.public_bytes(Encoding.PEM)
            (place / f"{role}.cert.pem").write_bytes(pem)
    return end


def _authority(folder: Path, private: Path) -> Authority:
    """The one that is there, or a new one."""
    key_file, certificate_file = private / "ca.key.pem", folder / "public" / "ca.cert.pem"
    if key_file.is_file() != certificate_file.is_file():
        there, missing = sorted((key_file, certificate_file), key=lambda file: not file.is_file())
        raise ConfigError(
            f"{there} is there and {missing} is not: they belong together; name the folder of "
            "the authority's key with --private, or begin in a new folder"
        )
    if key_file.is_file():
        return _read_authority(key_file, certificate_file)
    key = ec.generate_private_key(ec.SECP256R1())
    begin = datetime.now(timezone.utc) - CLOCKS_MAY_DIFFER
    end = begin + timedelta(days=AUTHORITY_DAYS)
    certificate = _certificate("hrl authority", key, begin, end, None)
    write_secret(key_file, _as_pem(key))
    certificate_file.parent.mkdir(parents=True, exist_ok=True)
    for name in ("ca", *ROLES):
        pem = certificate.public_bytes(Encoding.PEM)
        (certificate_file.parent / f"{name}.cert.pem").write_bytes(pem)
    for role in ROLES:
        (private / f"{role}.key.pem").symlink_to(key_file.name)
    return Authority(key, certificate)


def _read_authority(key_file: Path, certificate_file: Path) -> Authority:
    """Raises ConfigError where the files are no such key and its certificate."""
    place = key_file
    try:
        key = load_pem_private_key(key_file.read_bytes(), None)
        place = certificate_file
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        end = certificate.not_valid_after_utc
        belongs = certificate.public_key() == key.public_key()
    except OSError as error:
        raise ConfigError(f"{place}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{place}: damaged, or not of ./hrl secure: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not belongs:
        raise ConfigError(f"{key_file} is not the key of {certificate_file}; begin in a new folder")
    if end < datetime.now(timezone.utc):
        raise ConfigError(f"{certificate_file}: ended on {end:%Y-%m-%d}; begin in a new folder")
    return Authority(key, certificate)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    begin: datetime,
    end: datetime,
    authority: Authority | None,
) -> x509.Certificate:
    """Of a holder, signed by the authority; None: of the authority itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    constraints = x509.BasicConstraints(ca=authority is None, path_length=None)
    builder = x509.CertificateBuilder(
        issuer_name=authority.certificate.subject if authority else subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=begin,
        not_valid_after=end,
    ).add_extension(constraints, critical=authority is None)
    return builder.sign(authority.key if authority else key, hashes.SHA256())


def _as_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
