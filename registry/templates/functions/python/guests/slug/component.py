"""Implements wit/world.wit."""

import re

import wit_world


class WitWorld(wit_world.WitWorld):
    def slug(self, title: str) -> str:
        return "-".join(re.findall("[a-z0-9]+", title.lower()))
