"""The owner: the active employee with the quote owner's e-mail, else the default sales employee."""

from tests.fixtures.engine import Engine, codes, event, in_extended, warning

pytestmark = in_extended


async def test_the_owner_is_the_employee_with_the_quote_owners_e_mail(engine: Engine) -> None:
    quote = await engine.synced(event(owner={"email": " SAM@msp.example"}))
    assert engine.opportunity()["salesRepresentativeUserId"] == 11
    assert "owner_not_found" not in codes(quote)


async def test_an_unknown_owner_becomes_the_default_sales_employee_with_a_warning(engine: Engine) -> None:
    quote = await engine.synced(event(owner={"email": "nobody@msp.example"}))
    assert engine.opportunity()["salesRepresentativeUserId"] == 12
    assert "nobody@msp.example" in warning(quote, "owner_not_found")["detail"]


async def test_an_inactive_owner_becomes_the_default_sales_employee_with_a_warning(engine: Engine) -> None:
    quote = await engine.synced(event(owner={"email": "ian@msp.example"}))
    assert engine.opportunity()["salesRepresentativeUserId"] == 12
    assert "owner_not_found" in codes(quote)


async def test_a_quote_without_an_owner_is_the_default_sales_employees(engine: Engine) -> None:
    quote = await engine.synced(event(owner=None))
    assert engine.opportunity()["salesRepresentativeUserId"] == 12
    assert "owner_not_found" not in codes(quote)


async def test_a_new_owner_takes_the_opportunity_over(engine: Engine) -> None:
    await engine.synced(event())
    await engine.synced(event("updated", owner={"email": "dana@msp.example"}))
    assert engine.opportunity()["salesRepresentativeUserId"] == 12
