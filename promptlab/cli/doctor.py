"""promptlab doctor"""

from typing import Any

import click

from promptlab.cli import options

PACKAGES = ("promptlab-clip", "promptlab-demo", "torch", "open_clip_torch", "numpy", "pillow", "timm", "openai", "textual", "textual-image")


@click.command()
@options.places
@options.output
def doctor(as_json: bool, quiet: bool, **flags: Any) -> None:
    """Versions, device, folders, plugins, whose API keys there are, and every setting with the place it came from."""
    import platform

    from promptlab import keys, runs
    from promptlab.cli import output
    from promptlab.cli.diagnostics import listening
    from promptlab.config import Settings
    from promptlab.display import safe
    from promptlab.lab import Lab
    from promptlab.report.tables import Table

    with listening(quiet) as listen:
        lab = Lab(Settings.load(flags), listen)
        found = {
            "python": platform.python_version(),
            **{name: runs.version(name) for name in PACKAGES},
            "device": lab.device,
            "cache": str(lab.cache.root),
            "plugins": ", ".join(f"{one['name']} ({one['state']})" for one in lab.plugin_list()) or "none",
            "models": ", ".join(lab.models) or "none",
            "datasets": ", ".join(lab.sources),
        }
    settings = {name: [str(value), lab.settings.origin.get(name, "default")] for name, value in lab.settings.plain().items()}
    hosts = tuple((key.host, key.source) for key in keys.listed())
    if as_json:
        owned = [{"host": host, "from": place} for host, place in hosts]
        output.show_json({**found, "keys": owned, "settings": {n: {"value": v, "from": place} for n, (v, place) in settings.items()}})
        return
    output.show(
        [
            Table("This machine", ("what", "value"), tuple((n, safe(v)) for n, v in found.items())),
            Table("API keys", ("host", "from"), tuple((safe(host), safe(place)) for host, place in hosts) or (("none", ""),)),
            Table("Settings", ("setting", "value", "from"), tuple((n, safe(v), safe(place)) for n, (v, place) in settings.items())),
        ]
    )
