"""The topics and messages of MQTT discovery, by which Home Assistant adds a camera's sensors automatically.

Source: "MQTT discovery" and "MQTT sensor" in Home Assistant's manual,
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from frametally.files.names import one_line
from frametally.keys import slug

if TYPE_CHECKING:
    from frametally_alerts.home_assistant.camera_sensors import Camera

CONFIGURATIONS = "homeassistant/sensor/+/+/config"
"""The filter of all sensors' configurations."""
ONLINE, OFFLINE = b"online", b"offline"
_SENSORS: dict[str, dict[str, str]] = {
    "picture": {"name": "Picture", "icon": "mdi:cctv"},
    "objects_today": {"name": "Objects today", "icon": "mdi:counter"},
    "occupancy": {
        "name": "Most at once in the last 10 minutes",
        "icon": "mdi:account-multiple",
        "state_class": "measurement",
    },
}


def status_topic(topic: str) -> str:
    """Return where frametally says whether it runs; `topic` is the channel's."""
    return f"{topic}/homeassistant/status"


def messages_of(camera: Camera, topic: str) -> dict[str, bytes]:
    """Return the messages about a camera by topic: each sensor's configuration, then its state.

    Only the slug, a-z, 0-9, `_` and `-`, and a hash are in topics, since a name may have any character. The
    hash keeps apart cameras of several frametallys at one broker, which have different topics.
    """
    source = slug(camera.source)
    digest = hashlib.sha256(f"{topic}\n{source}".encode()).hexdigest()
    node = f"frametally_{source}_{digest[:8]}"
    messages = {}
    for key, sensor in _SENSORS.items():
        state_topic = f"{topic}/homeassistant/{node}/{key}"
        configuration = {
            **sensor,
            "unique_id": f"{node}_{key}",
            "state_topic": state_topic,
            # Home Assistant shows the word None as unknown, and keeps the attributes.
            "value_template": "{{ value_json.value }}",
            "json_attributes_topic": state_topic,
            "json_attributes_template": "{{ value_json.attributes | tojson }}",
            "availability_topic": status_topic(topic),
            "device": {"identifiers": [node], "name": one_line(camera.name), "manufacturer": "frametally"},
            "origin": {"name": "frametally"},
        }
        messages[f"homeassistant/sensor/{node}/{key}/config"] = msgspec.json.encode(configuration)
        reading = camera.readings[key]
        state = {"value": reading.value, "attributes": {"reason": None, **reading.attributes}}
        messages[state_topic] = msgspec.json.encode(state)
    return messages


def state_topic_if_own(payload: bytes, topic: str) -> str | None:
    """Return the state topic in a configuration message of this frametally; None for other messages."""
    try:
        configuration: Any = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return None
    if not isinstance(configuration, dict) or configuration.get("availability_topic") != status_topic(topic):
        return None
    state_topic = configuration.get("state_topic")
    is_own = isinstance(state_topic, str) and state_topic.startswith(f"{topic}/homeassistant/")
    return state_topic if is_own else None
