"""The contract of QR codes."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tradingcore.auth.ports.qr_codes import QrCodes
from tradingcore.kernel.errors import InvalidInput

URI = "otpauth://totp/Trading%20Core:ana@example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Trading%20Core"
SVG = "{http://www.w3.org/2000/svg}"


class QrCodesContract:
    """Fixture: ``qr_codes``."""

    @pytest.fixture
    def qr_codes(self) -> QrCodes:
        raise NotImplementedError("supply the maker of codes under test")

    def test_picture_is_a_whole_document_of_shapes(self, qr_codes: QrCodes) -> None:
        root = ElementTree.fromstring(qr_codes.svg(URI))
        assert root.tag == f"{SVG}svg"
        assert root.get("viewBox")
        shapes = {element.tag.removeprefix(SVG) for element in root.iter()} - {"svg"}
        assert shapes
        assert shapes <= {"path", "rect", "g"}

    @pytest.mark.parametrize("text", [URI, '"><script>alert(1)</script>', "&amp;' onload='x", "ñandú 漢字"])
    def test_no_text_gets_into_the_markup(self, qr_codes: QrCodes, text: str) -> None:
        picture = qr_codes.svg(text)
        assert text not in picture
        ElementTree.fromstring(picture)
        assert not re.search(r"script|on\w+=|href|url\(|<!", picture)

    def test_equal_texts_look_alike_and_others_do_not(self, qr_codes: QrCodes) -> None:
        assert qr_codes.svg(URI) == qr_codes.svg(URI)
        assert qr_codes.svg(URI) != qr_codes.svg(f"{URI}x")

    def test_text_that_no_code_holds_is_refused(self, qr_codes: QrCodes) -> None:
        with pytest.raises(InvalidInput):
            qr_codes.svg("x" * 5_000)
