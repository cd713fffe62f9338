from __future__ import annotations

import io

import segno

from tradingcore.auth.ports.qr_codes import QrCodes
from tradingcore.kernel.errors import InvalidInput


class SegnoQrCodes(QrCodes):
    def svg(self, text: str) -> str:
        try:
            code = segno.make_qr(text, error="m", boost_error=False)
        except segno.DataOverflowError:
            raise InvalidInput(f"a QR code holds no text of {len(text)} characters") from None
        drawing = io.BytesIO()
        # The ground is part of the picture, for dark pages; without a size it fills what it is put into.
        code.save(drawing, kind="svg", light="white", omitsize=True, xmldecl=False, svgclass=None, lineclass=None, nl=False)
        return drawing.getvalue().decode()
