"""The page, drawn with gradio: a report and its sections, one or two chats, and the settings of their answers."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from radgpt.config import Decoding
from radgpt.serving.desk import NOBODY, Asked, Desk, Shown, line
from radgpt.serving.feedback import LEFT, RIGHT, TIE
from radgpt.serving.report_view import report_html

FOLDER = Path(__file__).parent / "page"
STYLE = FOLDER / "page.css"
OPEN_FILE = FOLDER / "open_file.js"

NOTICE = "Research software, not for clinical use: answers may be wrong."
BANNER = f'<header class="rg-top"><h1>radgpt</h1><p role="note">{NOTICE}</p></header>'

HOTTEST = 2.0
MOST_TOKENS = 4096
"""Of an answer, unless the configuration says more."""

QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
STREAMING: dict[str, Any] = {"concurrency_limit": None, "concurrency_id": "answers", "show_progress": "hidden", "api_visibility": "private"}
"""Answers of all pages are given at once: who bounds them is the desk."""


def build(desk: Desk, samples: Mapping[str, str], report: str) -> Any:
    """The page (a `gradio.Blocks`) and what happens on it.

    Args:
        desk: answers, one conversation for each open page.
        samples: label of a button to the report that it brings.
        report: what stands in the field of a new page.
    """
    import gradio as gr

    with gr.Blocks(title="radgpt", analytics_enabled=False, fill_width=True) as page:
        gr.HTML(BANNER, elem_id="rg-banner")
        with gr.Row(elem_id="rg-panes"):
            with gr.Column(scale=4, min_width=320, elem_id="rg-left"):
                text = gr.Textbox(
                    report,
                    label="Report",
                    lines=7,
                    max_lines=7,
                    placeholder="Paste a radiology report, or open a text file.",
                    elem_id="rg-report-text",
                )
                with gr.Row(elem_id="rg-report-buttons"):
                    opening = gr.Button("Open file", size="sm", min_width=80)
                    sampling = [gr.Button(label, size="sm", min_width=80) for label in samples]
                    resetting = gr.Button("New conversation", size="sm", min_width=130)
                view = gr.HTML(report_html(report), elem_id="rg-report")
            with gr.Column(scale=7, min_width=320, elem_id="rg-right"):
                with gr.Row(elem_id="rg-models", visible=len(desk.names) > 1):
                    model = gr.Dropdown(desk.names, value=desk.names[0], label="Model", filterable=False, min_width=140)
                    beside = gr.Dropdown([NOBODY, *desk.names], value=NOBODY, label="Beside it", filterable=False, min_width=140)
                with gr.Row(elem_id="rg-chats", equal_height=True):
                    left, right = chat(desk.names[0], visible=True), chat("", visible=False)
                with gr.Row(elem_id="rg-better", visible=False) as better:
                    labels = {LEFT: "Left is better", TIE: "Tie", RIGHT: "Right is better"}
                    preferring = {rating: gr.Button(label, size="sm", min_width=90) for rating, label in labels.items()}
                told = gr.HTML("", elem_id="rg-told")
                message = gr.Textbox(
                    show_label=False,
                    container=False,
                    placeholder="Ask a question",
                    submit_btn=True,
                    lines=1,
                    max_lines=8,
                    autofocus=True,
                    elem_id="rg-message",
                )
                with gr.Accordion("How answers are drawn", open=False, elem_id="rg-settings"):
                    settings = setting_fields(desk.decodings[desk.names[0]])
                    system = gr.Textbox(desk.system, label="System prompt", lines=3, max_lines=8)

        asking = [text, system, model, beside, *settings]
        shown = [left, right, better, told, view, message]
        message.submit(answering(desk.ask), [message, *asking], shown, **STREAMING)
        for place, side in enumerate((left, right)):
            side.retry(answering(retrying(desk, place)), asking, shown, **STREAMING)
            side.edit(editing(desk), asking, shown, **STREAMING)
            side.undo(at_once(desk.undo), None, shown, **QUICK)
            side.clear(at_once(desk.reset), text, shown, **QUICK)
            side.like(rating(desk, place), None, told, **QUICK)
            side.select(checking(desk, place), None, view, **QUICK)
        message.stop(calling(desk.stop), None, None, **QUICK)
        for verdict, button in preferring.items():
            button.click(at_once(lambda page, verdict=verdict: desk.prefer(page, verdict)), None, shown, **QUICK)
        resetting.click(at_once(desk.reset), text, shown, **QUICK)

        model.change(lambda name: values_of(desk.decodings[name]), model, settings, **QUICK)
        gr.on([model.change, beside.change], sides, [model, beside], [left, right, told], **QUICK)
        text.change(report_html, text, view, trigger_mode="always_last", **QUICK)
        opening.click(None, text, text, js=OPEN_FILE.read_text(encoding="utf-8"), queue=False)
        for button, sample in zip(sampling, samples.values(), strict=True):
            button.click(lambda sample=sample: sample, None, text, **QUICK)
        page.unload(calling(desk.close))
    return page


def chat(label: str, visible: bool) -> Any:
    """One model's side of the page (a `gradio.Chatbot`)."""
    import gradio as gr

    return gr.Chatbot(
        label=label,
        visible=visible,
        height="max(20rem, calc(100dvh - 21rem))",
        min_width=280,
        buttons=["copy"],
        editable="user",
        latex_delimiters=[],
        allow_tags=False,
        allow_file_downloads=False,
        feedback_options=("Like", "Dislike"),
        placeholder="Ask a question. A click on an answer shows what in the report supports it.",
        elem_classes="rg-chat",
    )


def setting_fields(decoding: Decoding) -> list[Any]:
    """The fields of the decoding, in the order of `values_of` and `decoding_of`, showing this one."""
    import gradio as gr

    greedy, temperature, top_p, top_k, penalty, tokens = values_of(decoding)
    with gr.Row(elem_id="rg-drawing"):
        return [
            gr.Checkbox(greedy, label="Greedy: the likeliest token"),
            gr.Slider(0.05, HOTTEST, temperature, step=0.05, label="Temperature"),
            gr.Slider(0.05, 1.0, top_p, step=0.05, label="Top-p"),
            gr.Slider(0, 500, top_k, step=1, label="Top-k (0: all)"),
            gr.Slider(1.0, 2.0, penalty, step=0.05, label="Repetition penalty"),
            gr.Slider(1, max(MOST_TOKENS, tokens), tokens, step=1, label="Max new tokens"),
        ]


def values_of(decoding: Decoding) -> list[Any]:
    """What the fields show for a decoding."""
    drawn = [not decoding.do_sample, decoding.temperature, decoding.top_p, decoding.top_k]
    return [*drawn, decoding.repetition_penalty, decoding.max_new_tokens]


def decoding_of(values: Sequence[Any]) -> Decoding:
    """The decoding that the fields say; raises UserError where it is none."""
    greedy, temperature, top_p, top_k, penalty, tokens = values
    return Decoding(
        do_sample=not greedy,
        temperature=float(temperature),
        top_p=float(top_p),
        top_k=int(top_k),
        repetition_penalty=float(penalty),
        max_new_tokens=int(tokens),
    )


def asked_of(values: Sequence[Any]) -> Asked:
    """What the fields of the page say, in the order of `asking` in `build`."""
    report, system, model, beside, *settings = values
    return Asked(report or "", system or "", (model,) if beside == NOBODY else (model, beside), decoding_of(settings))


def sides(model: str, beside: str) -> list[Any]:
    """Left chat, right chat and line once models are chosen."""
    import gradio as gr

    told = "" if beside == NOBODY else line(f"Questions go to {model} and {beside}; the next one begins a new conversation with both.")
    return [gr.update(label=model), gr.update(label=beside, visible=beside != NOBODY), told]


def outputs(shown: Shown) -> list[Any]:
    """What the parts of the page become, in the order of `shown` in `build`."""
    import gradio as gr

    kept = gr.skip()
    better = kept if shown.comparable is None else gr.update(visible=shown.comparable)
    field: dict[str, Any] = {} if shown.message is None else {"value": shown.message}
    if shown.answering is not None:
        field |= {"submit_btn": not shown.answering, "stop_btn": shown.answering}
    rest = [kept if part is None else part for part in (shown.told, shown.report)]
    return [*(kept if messages is None else messages for messages in shown.chats), better, *rest, gr.update(**field) if field else kept]


# gradio gives a handler what the annotations of its parameters name, so that each has to be made where gradio is loaded.


def answering(stream: Callable[..., AsyncGenerator[Shown, None]]) -> Callable[..., Any]:
    """A handler that streams: a page's id, a message where there is one, and what the fields say."""
    import gradio as gr

    async def handler(request: gr.Request, *values: Any) -> AsyncGenerator[list[Any], None]:
        own, fields = values[:-10], values[-10:]
        async for shown in stream(str(request.session_hash), *own, asked_of(fields)):
            yield outputs(shown)

    return handler


def retrying(desk: Desk, place: int) -> Callable[..., AsyncGenerator[Shown, None]]:
    """`Desk.retry` of one side."""
    return lambda page, asked: desk.retry(page, place, asked)


def editing(desk: Desk) -> Callable[..., Any]:
    """A handler that answers an edited message."""
    import gradio as gr

    async def handler(request: gr.Request, edited: gr.EditData, *values: Any) -> AsyncGenerator[list[Any], None]:
        async for shown in desk.edit(str(request.session_hash), place_of(edited.index), edited.value, asked_of(values)):
            yield outputs(shown)

    return handler


def at_once(action: Callable[..., Shown]) -> Callable[..., Any]:
    """A handler of what is done in a moment."""
    import gradio as gr

    def handler(request: gr.Request, *values: Any) -> list[Any]:
        return outputs(action(str(request.session_hash), *values))

    return handler


def calling(action: Callable[[str], None]) -> Callable[..., None]:
    """A handler that shows nothing."""
    import gradio as gr

    def handler(request: gr.Request) -> None:
        action(str(request.session_hash))

    return handler


def rating(desk: Desk, place: int) -> Callable[..., str]:
    """A handler of a thumb."""
    import gradio as gr

    def handler(request: gr.Request, thumb: gr.LikeData) -> str:
        return desk.rate(str(request.session_hash), place, place_of(thumb.index), thumb.liked)

    return handler


def checking(desk: Desk, place: int) -> Callable[..., Any]:
    """A handler of a click on a message."""
    import gradio as gr

    def handler(request: gr.Request, chosen: gr.SelectData) -> Any:
        shown = desk.check(str(request.session_hash), place, place_of(chosen.index))
        return gr.skip() if shown is None else shown

    return handler


def place_of(index: Any) -> int:
    """The number of a message, from 0; gradio counts the parts of one as well."""
    return int(index[0] if isinstance(index, list | tuple) else index)
