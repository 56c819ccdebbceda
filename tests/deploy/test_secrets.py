import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from deploy import certificates
from deploy.secrets import SecretsError, create_missing
from shared import clock


def test_all_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    made = create_missing(folder, "localhost")
    held = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert set(held) == {*made, "ca_key.pem"}
    assert create_missing(folder, "localhost") == []
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == held


def test_nobody_else_may_enter_the_folder_and_nobody_at_all_may_write_what_containers_read(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    create_missing(folder, "localhost")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    rights = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert rights.pop("ca_key.pem") == 0o400
    assert set(rights.values()) == {0o444}


def test_what_is_missing_is_made_anew_and_the_rest_is_left(tmp_path: Path) -> None:
    create_missing(tmp_path, "localhost")
    secret = (tmp_path / "cursor_secret").read_text()
    (tmp_path / "members_database_url").unlink()
    assert create_missing(tmp_path, "localhost") == ["members_database_url"]
    assert (tmp_path / "cursor_secret").read_text() == secret
    assert (tmp_path / "members_database_url").read_text().startswith("postgresql://members:")


def test_passwords_are_all_different_and_long(tmp_path: Path) -> None:
    create_missing(tmp_path, "localhost")
    passwords = [file.read_text() for file in tmp_path.iterdir() if "password" in file.name or "secret" in file.name]
    assert len(passwords) == len(set(passwords)) == 6
    assert min(map(len, passwords)) >= 32


def test_the_brokers_certificate_names_the_host_and_is_signed_by_the_authority(tmp_path: Path) -> None:
    create_missing(tmp_path, "kei.example.eu")
    certificate = x509.load_pem_x509_certificate((tmp_path / "kafka_tls.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kei.example.eu", "kafka", "localhost"]
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes()))
    ssl.create_default_context(cafile=tmp_path / "ca.pem")


def test_another_host_gets_another_certificate_of_the_same_authority(tmp_path: Path) -> None:
    create_missing(tmp_path, "localhost")
    authority = (tmp_path / "ca.pem").read_bytes()
    assert create_missing(tmp_path, "10.0.0.7") == ["kafka_tls.pem"]
    assert (tmp_path / "ca.pem").read_bytes() == authority


@pytest.mark.parametrize(("left", "renewed"), [(timedelta(days=29), True), (timedelta(days=31), False)])
def test_a_certificate_that_ends_within_thirty_days_is_renewed(
    tmp_path: Path, left: timedelta, *, renewed: bool
) -> None:
    create_missing(tmp_path, "localhost")
    signer = certificates.KeyAndCertificate((tmp_path / "ca_key.pem").read_bytes(), (tmp_path / "ca.pem").read_bytes())
    now = clock.now()
    pair = certificates.create_server_certificate(signer, ["localhost"], now - timedelta(days=300), now + left)
    (tmp_path / "kafka_tls.pem").chmod(0o600)
    (tmp_path / "kafka_tls.pem").write_bytes(pair.key + pair.certificate)
    assert (create_missing(tmp_path, "localhost") == ["kafka_tls.pem"]) is renewed


def test_a_broken_certificate_is_told_in_a_sentence(tmp_path: Path) -> None:
    create_missing(tmp_path, "localhost")
    (tmp_path / "kafka_tls.pem").chmod(0o600)
    (tmp_path / "kafka_tls.pem").write_text("no certificate")
    with pytest.raises(SecretsError, match="Remove it to have it created again"):
        create_missing(tmp_path, "localhost")


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SecretsError, match="cannot be created"):
        create_missing(tmp_path / "file" / "secrets", "localhost")
