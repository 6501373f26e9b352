"""Every problem that an answer can name: what happened, and what to do; the pages under /problems are made of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem. ``status`` is the usual HTTP status; some operations answer the same kind with another."""

    name: str
    status: int
    title: str
    happened: str
    remedy: str


_KINDS = (
    ProblemKind(
        "unauthorized",
        401,
        "The API key is missing or not valid",
        "The request had no Authorization header, or its key is unknown or was revoked.",
        "Send `Authorization: Bearer qb_…` with a live key. `quotebridge keys create --name N` makes one.",
    ),
    ProblemKind(
        "signature-invalid",
        401,
        "The signature does not match",
        "The delivery had no signature, a wrong one, one more than 300 seconds old or ahead, or a webhook header "
        "twice. Nothing was stored.",
        "Sign the raw body with a live signing secret of this connection, check the sender's clock, and sign each "
        "retry anew. For Quoter's own webhook, the Hash Key there must be the connection's quoter_hash_key.",
    ),
    ProblemKind(
        "unreadable-body",
        400,
        "The body is not the form that Quoter sends",
        "The body is not form-encoded with the fields hash, timestamp and data.",
        "Choose JSON as the format in Quoter's webhook settings and send the body unchanged.",
    ),
    ProblemKind(
        "not-found",
        404,
        "There is nothing here",
        "The path names nothing, or something that this API key may not see.",
        "Check the path against openapi.yaml, and whether the key belongs to this connection.",
    ),
    ProblemKind(
        "connection-not-found",
        404,
        "There is no such connection",
        "No connection has this id, or the API key belongs to another one.",
        "Take the id from `GET /v1/connections` or from the console.",
    ),
    ProblemKind(
        "quote-not-found",
        404,
        "There is no such quote",
        "No accepted event of this connection was about a quote with this id.",
        "Take the id from the connection's list of quotes, or look among its rejected events.",
    ),
    ProblemKind(
        "event-not-found",
        404,
        "There is no such event",
        "No event of this connection has this id.",
        "Take the id from the connection's list of events.",
    ),
    ProblemKind(
        "issue-not-found",
        404,
        "There is no such issue",
        "No issue of this connection has this id.",
        "Take the id from the connection's list of issues.",
    ),
    ProblemKind(
        "api-key-not-found",
        404,
        "There is no such API key",
        "No API key has this id.",
        "Take the id from `GET /v1/api-keys`.",
    ),
    ProblemKind(
        "signing-secret-not-found",
        404,
        "There is no such signing secret",
        "No signing secret of this connection has this id.",
        "Take the id from the connection's list of signing secrets.",
    ),
    ProblemKind(
        "settings-not-saved",
        404,
        "The settings have not been saved yet",
        "This connection has no settings, so none of its quotes can be synced.",
        "Read `settings/proposed`, complete what it names as missing, and PUT the result to `settings`.",
    ),
    ProblemKind(
        "kaseya-record-not-found",
        404,
        "BMS has no such record",
        "Kaseya BMS answered that the record named in the request does not exist.",
        "Check the id in BMS; the record may have been deleted.",
    ),
    ProblemKind(
        "method-not-allowed",
        405,
        "This path does not take this method",
        "The path exists, but not with this HTTP method.",
        "Use one of the methods in the Allow header.",
    ),
    ProblemKind(
        "delivery-conflict",
        409,
        "The same webhook-id came with another body",
        "A delivery with this webhook-id was stored before, and its body was different. This one is kept for audit and "
        "not applied.",
        "Give each event its own webhook-id, and repeat one only with exactly the same body.",
    ),
    ProblemKind(
        "issue-closed",
        409,
        "The issue is closed",
        "The issue was retried, dismissed, or closed itself when its quote was synced.",
        "Nothing needs to be done. If the quote stopped again, a new issue tells why.",
    ),
    ProblemKind(
        "choice-required",
        409,
        "The issue needs a choice",
        "This issue can only be retried with a decision that nobody but a person can make.",
        'Send `{"kaseya_id": "…"}` if the record exists in BMS, or `{"send_again": true}` if it does not.',
    ),
    ProblemKind(
        "connection-paused",
        409,
        "The connection is paused",
        "What was asked for needs Kaseya BMS, and this connection is paused.",
        "Resume the connection and try again.",
    ),
    ProblemKind(
        "last-signing-secret",
        409,
        "The last live signing secret cannot be retired",
        "Without a live signing secret no event could be accepted.",
        "Rotate first: POST to signing-secrets, give the new one to the sender, then retire this one.",
    ),
    ProblemKind(
        "too-many-signing-secrets",
        409,
        "There are too many live signing secrets",
        "A connection can have ten live signing secrets at a time.",
        "Retire one that is no longer used.",
    ),
    ProblemKind(
        "quote-not-syncable",
        409,
        "The quote cannot be synced as it is",
        "The quote was rejected, and nothing has changed since.",
        "Change the quote in the frontend so that it sends a new event.",
    ),
    ProblemKind(
        "body-too-large",
        413,
        "The body is too large",
        "The body is larger than QUOTEBRIDGE_MAX_BODY_BYTES. It was not read to its end.",
        "Send the PDF by URL instead of inline, or raise QUOTEBRIDGE_MAX_BODY_BYTES.",
    ),
    ProblemKind(
        "invalid-event",
        422,
        "The body is not a valid quote event",
        "The delivery is signed correctly, but its body is not a quote event. It is kept and listed as rejected.",
        "Each entry of `errors` points at the place in the body and says what is wrong there. Mend it and send the "
        "event again under a new webhook-id.",
    ),
    ProblemKind(
        "quote-expired",
        422,
        "The quote has expired",
        "The quote is pending and its expires_on is past in the connection's time zone. BMS cannot backdate, so "
        "nothing is sent; the event is kept and listed as rejected.",
        "Give the quote a later expiry date. Won and lost quotes are taken whatever their date.",
    ),
    ProblemKind(
        "invalid-request",
        422,
        "The request is not valid",
        "The path, the query or the body does not have the form that the operation takes.",
        "Each entry of `errors` points at the place and says what is wrong there.",
    ),
    ProblemKind(
        "invalid-settings",
        422,
        "The settings are not valid",
        "At least one setting is missing, unknown or out of range. Nothing was saved.",
        "Each entry of `errors` points at the setting and says what is wrong with it.",
    ),
    ProblemKind(
        "default-warehouse-required",
        422,
        "A default warehouse is required",
        "Service quotations are enabled without a default warehouse; BMS takes no line without one. Nothing was saved.",
        "Choose service_quotation.default_warehouse_id. If BMS has no warehouse, make one there first.",
    ),
    ProblemKind(
        "unknown-reference",
        422,
        "A setting names something that BMS does not have",
        "BMS was asked, and has no active record with one of the ids in the settings. Nothing was saved.",
        "Each entry of `errors` points at the setting. The look-ups list what BMS has.",
    ),
    ProblemKind(
        "host-not-allowed",
        422,
        "This host is not allowed",
        "The address is not one of the published BMS servers and not on the allow-list, or it is not https.",
        "Choose us, emea, apac or vorex, or let the operator add the host to QUOTEBRIDGE_ALLOWED_KASEYA_HOSTS.",
    ),
    ProblemKind(
        "kaseya-credentials-rejected",
        422,
        "BMS refused the sign-in",
        "Kaseya BMS does not accept this company, user name and password.",
        "Sign in to BMS with them in a browser, check that the user may use the API, and enter them again.",
    ),
    ProblemKind(
        "kaseya-mfa-required",
        422,
        "BMS asks for a second factor",
        "The user has multi-factor authentication, and no working mfa_secret was given.",
        "Give the secret of the authenticator as mfa_secret, or use an API user without a second factor.",
    ),
    ProblemKind(
        "kaseya-unreachable",
        503,
        "BMS cannot be reached",
        "Kaseya BMS did not answer, or answered with an error of its own.",
        "Try again in a while. For a custom server, check base_url.",
    ),
    ProblemKind(
        "kaseya-throttled",
        503,
        "The budget of BMS calls is used up",
        "BMS, or our own budget that keeps within its hourly limit, takes no more calls to this endpoint for now.",
        "Try again after the seconds that the Retry-After header names.",
    ),
    ProblemKind(
        "kaseya-rejected",
        502,
        "BMS refused the request",
        "Kaseya BMS was reached and refused what was asked of it; `detail` has its words.",
        "Check in BMS whether the API user may do this.",
    ),
    ProblemKind(
        "database-away",
        503,
        "The database is away",
        "PostgreSQL could not be reached or did not commit, so nothing was stored.",
        "Send the same request again after the seconds that the Retry-After header names.",
    ),
    ProblemKind(
        "not-ready",
        503,
        "The service is not ready",
        "The database is away, its schema is not the one that this version needs, or the service is shutting down.",
        "Wait; if it lasts, `quotebridge doctor` says what is wrong and `quotebridge migrate` brings the "
        "schema up to date.",
    ),
    ProblemKind(
        "internal-error",
        500,
        "Something went wrong on our side",
        "The service met a situation that it does not handle. This is a fault in Quotebridge.",
        "Try again. If it lasts, look for the request id of this answer in the service's log and report it.",
    ),
)

KINDS = {kind.name: kind for kind in _KINDS}
