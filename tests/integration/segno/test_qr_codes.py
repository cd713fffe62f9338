from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
import segno

from adapters.segno.qr_codes import SegnoQrCodes
from tradingcore.testing.auth.qr_codes import SVG, URI, QrCodesContract


class TestSegnoQrCodes(QrCodesContract):
    @pytest.fixture
    def qr_codes(self) -> SegnoQrCodes:
        return SegnoQrCodes()

    def test_dark_modules_are_where_the_code_has_them(self, qr_codes: SegnoQrCodes) -> None:
        root = ElementTree.fromstring(qr_codes.svg(URI))
        (dark,) = [path.get("d", "") for path in root.iter(f"{SVG}path") if path.get("stroke")]
        drawn, x, y = set(), 0.0, 0.0
        for command, numbers in re.findall(r"([Mmh])([\d. -]+)", dark):
            values = [float(number) for number in numbers.split()]
            if command == "h":
                drawn |= {(int(x + step), int(y)) for step in range(int(values[0]))}
                x += values[0]
            else:
                x, y = (values[0], values[1]) if command == "M" else (x + values[0], y + values[1])
        matrix = segno.make_qr(URI, error="m", boost_error=False).matrix
        quiet = 4
        expected = {(x + quiet, y + quiet) for y, row in enumerate(matrix) for x, is_dark in enumerate(row) if is_dark}
        assert drawn == expected
