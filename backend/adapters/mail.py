"""Mail through the operator's server (SMTP, RFC 5321), encrypted by STARTTLS (RFC 3207) or from the start."""

import asyncio
import re
import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from hashlib import sha256
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from backend.errors import Misconfigured, Refused, Unavailable
from backend.settings.alerts import AlertSettings

TIMEOUT_S = 20.0
SUBJECT_LIMIT = 200
PORTS = {"smtp": 587, "smtps": 465}


async def send(settings: AlertSettings, notice_id: str, subject: str, text: str) -> None:
    """Send one mail to all of NOTICE_MAIL. Its Message-ID comes from `notice_id`, so a repeat has the same.

    Raises Misconfigured when SMTP_URL is missing, refused or without STARTTLS, Refused when the server takes none of the
    addresses, Unavailable when it does not answer or asks to try later.
    """
    if settings.smtp_url is None:
        raise Misconfigured("mails need a mail server: set SMTP_URL", field="SMTP_URL")
    message = _message(settings, notice_id, subject, text)
    await asyncio.to_thread(_send, urlsplit(settings.smtp_url.get_secret_value()), message)


def _message(settings: AlertSettings, notice_id: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = Address("Backline", addr_spec=settings.notice_mail_from)
    message["To"] = ", ".join(settings.notice_mail)
    message["Subject"] = re.sub(r"\s+", " ", subject).strip()[:SUBJECT_LIMIT]
    message["Date"] = formatdate()
    domain = settings.notice_mail_from.rpartition("@")[2]
    message["Message-ID"] = f"<{sha256(notice_id.encode()).hexdigest()[:32]}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answers
    message.set_content(text)
    return message


def _send(url: SplitResult, message: EmailMessage) -> None:
    host, port = url.hostname or "", url.port or PORTS[url.scheme]
    context = ssl.create_default_context()
    try:
        make = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context) if url.scheme == "smtps" else None
        with make or smtplib.SMTP(host, port, timeout=TIMEOUT_S) as server:
            if make is None and parse_qs(url.query).get("starttls") != ["no"]:
                server.starttls(context=context)
            if url.username:
                server.login(unquote(url.username), unquote(url.password or ""))
            server.send_message(message)
    except smtplib.SMTPNotSupportedError as error:
        raise Misconfigured(f"{host} cannot do what SMTP_URL asks for: {error}", field="SMTP_URL") from None
    except smtplib.SMTPAuthenticationError as error:
        raise Misconfigured(
            f"{host} refuses the name or the password of SMTP_URL ({error.smtp_code})", field="SMTP_URL"
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _refusal(f"{host} takes mail for none of NOTICE_MAIL", max(codes)) from None
    except smtplib.SMTPResponseException as error:
        raise _refusal(f"{host} refuses the mail", error.smtp_code) from None
    except ssl.SSLCertVerificationError as error:
        raise Refused(f"the certificate of {host} does not hold: {error.verify_message}") from None
    except (smtplib.SMTPException, OSError) as error:
        raise Unavailable(f"{host} does not take mail: {type(error).__name__}") from None


def _refusal(said: str, code: int) -> Exception:
    # RFC 5321, 4.2.1: with a 4 in front it may be tried again.
    return Unavailable(f"{said} ({code})") if 400 <= code < 500 else Refused(f"{said} ({code})")
