"""What a user needs to go on alone: where things are, and one command that sends an event of their own."""

import base64
import json
from datetime import UTC, datetime

from demo.quotes import WIRELESS
from demo.stage import Stage


def invitation(stage: Stage, *, operator_key: str, bms_url: str) -> str:
    """The text that is shown while the service stays up."""
    connection = f"{stage.service_url}/v1/connections/{stage.connection_id}"
    quote_id = "my-first-quote"
    return f"""
The service stays up until Ctrl-C.

  API             {stage.service_url}/v1
  console         {stage.service_url}/console  (sign in with the operator key)
  operator key    {operator_key}
  connection      {stage.connection_id}
  signing secret  {stage.signing_secret}
  BMS sandbox     {bms_url}/_sandbox/state

Send an event of your own; change BODY as you like (needs bash, openssl and curl):

{_command(stage, quote_id)}

See what became of it:

curl -s -H 'Authorization: Bearer {operator_key}' {connection}/quotes/{quote_id}
"""


def _command(stage: Stage, quote_id: str) -> str:
    event = WIRELESS.to_event("created", now=datetime.now(UTC))
    event["data"] |= {"quote_id": quote_id, "number": "3001", "name": "My first quote"}
    del event["data"]["version"]  # so that the later timestamp is the newer event
    hex_key = base64.b64decode(stage.signing_secret.removeprefix("whsec_")).hex()
    event["timestamp"] = "'$(date -u +%FT%TZ)'"
    return f"""BODY='{json.dumps(event)}'
KEY={hex_key}
ID=msg_$RANDOM$RANDOM; NOW=$(date +%s)
SIGNATURE=$(printf '%s.%s.%s' "$ID" "$NOW" "$BODY" |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$KEY" -binary | base64)
curl -sS -H "webhook-id: $ID" -H "webhook-timestamp: $NOW" -H "webhook-signature: v1,$SIGNATURE" \\
  -H 'content-type: application/json' --data-binary "$BODY" {stage.service_url}/webhooks/{stage.connection_id}/quotes"""
