"""What every connection to a target shares: the names of its stages, its TLS context."""

import ssl

import pytest
import trustme

from chaperon.client.network.tls import context_for
from chaperon.client.timings import Timings
from chaperon.errors import UsageError


def test_stages_add_up_and_what_did_not_happen_took_no_time():
    kept = Timings(sending=0.001, waiting=0.02, receiving=0.004)

    assert kept.total == pytest.approx(0.025)
    assert kept.queued == kept.dns == kept.tcp == kept.tls == 0.0


def test_a_tls_context_is_shared_by_all_who_have_the_same_settings(tmp_path):
    authority = str(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(authority)

    shared = context_for(authority)

    assert context_for(authority) is shared
    assert shared.verify_mode is ssl.CERT_REQUIRED
    assert shared.check_hostname
    assert context_for(False).verify_mode is ssl.CERT_NONE
    assert context_for(True) is not shared


def test_an_unreadable_certificate_says_which_setting_it_was(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        context_for(str(tmp_path / "nowhere.pem"))
    with pytest.raises(UsageError, match="mine"):
        context_for(True, str(tmp_path / "mine.pem"))
