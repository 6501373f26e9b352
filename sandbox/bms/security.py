"""Sign-in, token refresh, and who am I (Security)."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sandbox.contract import Group, Request, form_of, one
from sandbox.errors import RefusedError, SignInError
from sandbox.security import TokenPair
from sandbox.shapes import Record, shape
from sandbox.world import World

group = Group("Security")

TENANT_ID = 1
CREDENTIALS = shape(
    "Authenticate",
    "UserName text, Password text, MFACode text, Tenant text, GrantType* text, SamlResponse text, SamlKey text, "
    "ItcToken text, ClientId text, ClientSecret text, RedirectUri text, Code text",
)
REFRESH = shape("RefreshToken", "AccessToken* text, RefreshToken text")
TOKEN = shape("Token", "AccessToken text?, RefreshToken text?, AccessTokenExpireOn time, RefreshTokenExpireOn time")
SSO_STATUS = shape("SsoStatus", "Enabled flag, LoginEndpointUrl text?")
ACCESS_RIGHT = shape(
    "UserAccessRight",
    "CanView flag, CanModify flag, CanDelete flag, MainMenuId int, MenuCategoryId int, ListingIDEnum int",
)
USER = shape(
    "UserInfo",
    "UserId int, FullName text?, EmailAddress text?, TimeStamp time, TimeZoneValue number, TimeZoneName text?, "
    "OlsonTimeZoneName text?, DateFormat text?, TimeFormat text?, TimeFormatWithSeconds text?, TenantId int, "
    "AccountId int?, LocationId int?, ContactId int?, BusinessName text?, UserAccessRights [UserAccessRight], "
    "SpecialFeatures [object], ViewsMenus [object], QueuesMenus [object], CurrencyCode text?, CultureCode text?, "
    "FilesVersionNumber text?, NewTicketingUI flag, IsUserSystemAdmin flag, ProductName text?, PictureUrl text?, "
    "OpenIdRealmId text?",
    ACCESS_RIGHT,
)


@group.post("/v2/security/authenticate", one(TOKEN), form_of(CREDENTIALS), is_anonymous=True, writes=False)
def authenticate(world: World, request: Request) -> Record:
    """Sign in with company, user name and password. Raises SignInError."""
    form = request.body
    if form["GrantType"] != "password":
        raise RefusedError("GrantType must be password.", is_violation=True)
    user = world.security.sign_in(
        form.get("Tenant", ""),
        form.get("UserName", ""),
        form.get("Password", ""),
        form.get("MFACode"),
        mfa_required=world.settings.mfa_required,
    )
    return _told(world, world.security.issue(user.user_id, world.token_lifetime))


@group.post("/v2/security/refreshtoken", one(TOKEN), form_of(REFRESH), is_anonymous=True, writes=False)
def refresh_token(world: World, request: Request) -> Record:
    """Replace both tokens; both old ones are needed. Raises SignInError."""
    refresh = request.body.get("RefreshToken")
    if not refresh:
        raise SignInError("The refresh token is missing.", is_sign_in=True)
    return _told(world, world.security.renew(request.body["AccessToken"], refresh, world.token_lifetime))


@group.get("/v2/security/ssostatus", one(SSO_STATUS), query="Tenant* text, UserName text", is_anonymous=True)
def sso_status(_world: World, _request: Request) -> Record:
    """Tell whether single sign-on is on: it is not."""
    return {"Enabled": False}


@group.get("/v2/security/userinfo", one(USER))
def user_info(world: World, request: Request) -> Record:
    """Tell who is signed in, and the tenant's time zone."""
    employee = world.store.find("employees", request.user_id) or {}
    offset = world.now().astimezone(ZoneInfo(world.settings.time_zone)).utcoffset()
    return {
        "UserId": request.user_id,
        "FullName": " ".join(filter(None, (employee.get("FirstName"), employee.get("LastName")))),
        "EmailAddress": employee.get("EmailAddress"),
        "TimeStamp": world.now(),
        "TimeZoneValue": offset.total_seconds() / 3600 if offset else 0.0,
        "TimeZoneName": world.settings.time_zone,
        "OlsonTimeZoneName": world.settings.time_zone,
        "DateFormat": "MM/dd/yyyy",
        "TimeFormat": "hh:mm tt",
        "TimeFormatWithSeconds": "hh:mm:ss tt",
        "TenantId": TENANT_ID,
        "BusinessName": world.security.company,
        "UserAccessRights": [],
        "SpecialFeatures": [],
        "ViewsMenus": [],
        "QueuesMenus": [],
        "CurrencyCode": "USD",
        "CultureCode": "en-US",
        "NewTicketingUI": True,
        "IsUserSystemAdmin": False,
        "ProductName": "BMS",
    }


def _told(world: World, pair: TokenPair) -> Record:
    return {
        "AccessToken": pair.access,
        "RefreshToken": pair.refresh,
        "AccessTokenExpireOn": _expiry(world, pair.access_expires_at),
        "RefreshTokenExpireOn": _expiry(world, pair.refresh_expires_at),
    }


def _expiry(world: World, moment: datetime) -> datetime | str:
    if not world.settings.token_expiry_without_zone:
        return moment
    return moment.astimezone(ZoneInfo(world.settings.time_zone)).replace(tzinfo=None).isoformat()
