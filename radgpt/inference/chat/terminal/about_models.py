"""Commands about who answers, and how: /model, /adapter, /system, /set."""

from collections.abc import Container
from dataclasses import replace
from itertools import chain, count

from radgpt.errors import UserError
from radgpt.inference.backend import Backend, NamedModel
from radgpt.inference.chat import decoding_settings
from radgpt.inference.chat.terminal.conversation import Conversation, Models
from radgpt.inference.chat.terminal.files import folder_of, refuse_stricter
from radgpt.inference.chat.terminal.screen import Screen


def model(talk: Conversation, name: str) -> None:
    """Let another model go on, or list them."""
    if name:
        switch(talk, name)
        return
    width = max(map(len, talk.models.named))
    for known, named in talk.models.named.items():
        mark = "*" if known == talk.session.backend.name else " "
        talk.screen.say(f"{mark} {known:<{width}}  {described(named)}")


def switch(talk: Conversation, name: str) -> None:
    """Let the model of that name go on with the conversation, drawing as it was configured and as `/set` says."""
    if name not in talk.models.named:
        raise UserError(f"there is no model {name}; there are {', '.join(talk.models.named)}, and the setting models names more")
    backend = opened(talk.screen, talk.models, name)
    decoding = talk.models.named[name].decoding
    for setting, value in talk.settings.items():
        decoding = decoding_settings.changed(decoding, setting, value)
    talk.session.set_decoding(decoding)
    talk.session.switch(backend)
    talk.screen.remark(f"{name} answers from here on ({decoding_settings.in_short(decoding)})")


def opened(screen: Screen, models: Models, name: str) -> Backend:
    """The model of that name, ready to answer; raises UserError where it cannot be opened."""
    screen.wait(f"loading {name}")
    try:
        backend = models.open(name)
        _ = backend.window  # a server may take its time to tell
        return backend
    finally:
        screen.settle()


def adapter(talk: Conversation, folder: str) -> None:
    """Lay what a training left over the base of the present model, take everything off the base, or tell what lies on it."""
    present = talk.models.named[talk.session.backend.name]
    if not present.backend.in_process:
        raise UserError(f"{present.name} is behind an endpoint, where adapters are its server's to load")
    if not folder:
        talk.screen.remark("no adapter" if present.checkpoint is None else str(present.checkpoint))
        return
    if folder == "off":
        wanted = replace(present, checkpoint=None)
    else:
        refuse_stricter(folder, talk.governance, "inputs.checkpoint")
        wanted = replace(present, checkpoint=folder_of(folder))
    same = (name for name, known in talk.models.named.items() if replace(known, name=present.name) == wanted)
    name = next(same, None)
    if name is None and wanted.checkpoint is not None:
        name = talk.models.add_adapter(present.name, wanted.checkpoint)
    elif name is None:
        name = free_name("base", talk.models.named)
        talk.models.named[name] = replace(wanted, name=name)
    switch(talk, name)


def system(talk: Conversation, text: str) -> None:
    """Set the system prompt, or show it."""
    if text:
        talk.session.set_system(text)
        talk.screen.remark("the system prompt is another one from here on")
    else:
        talk.screen.say(talk.session.system)


def change(talk: Conversation, argument: str) -> None:
    """Change a setting of the decoding, or list them."""
    if not argument:
        width = max(map(len, decoding_settings.names()))
        for name in decoding_settings.names():
            talk.screen.say(f"decoding.{name:<{width}}  {decoding_settings.told(getattr(talk.session.decoding, name))}")
        return
    typed, _, value = argument.replace("=", " ", 1).partition(" ")
    name, value = decoding_settings.bare(typed), value.strip()
    if value:
        talk.session.set_decoding(decoding_settings.changed(talk.session.decoding, name, value))
        talk.settings[name] = value
    decoding = talk.session.decoding
    idle = name in decoding_settings.ONLY_SAMPLED and not decoding.do_sample
    told = decoding_settings.told(getattr(decoding, name))
    talk.screen.remark(f"decoding.{name}={told}{', which means nothing while decoding.do_sample=false' if idle else ''}")


def free_name(stem: str, taken: Container[str]) -> str:
    """`stem`, or with the first number from 2 on that makes it a name of its own."""
    return next(name for name in chain([stem], (f"{stem}{number}" for number in count(2))) if name not in taken)


def described(named: NamedModel) -> str:
    """What a name stands for."""
    if not named.backend.in_process:
        return f"{named.backend.model} ({named.backend.provider.value})"
    return named.model.name_or_path + ("" if named.checkpoint is None else f" + {named.checkpoint}")
