"""What a site says of a clip that it does not give, and what that means."""

import pytest

from edge_glass.sources import ytdlp_errors

SAID = {
    "[youtube] rVXeIRY6H9c: Sign in to confirm you’re not a bot. Use --cookies-from-browser or "
    "--cookies for the authentication. See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ": "bot_check",
    "[youtube] a: Video unavailable. This content isn't available, try again later. The current "
    "session has been rate-limited by YouTube for up to an hour.": "bot_check",
    "[youtube] a: Some reason. YouTube is requiring a captcha challenge": "bot_check",
    "[youtube] a: Sign in to confirm your age. This video may be inappropriate for some users. "
    "Use --cookies-from-browser or --cookies": "age_gate",
    "[youtube] a: This video is age-restricted and only available on YouTube": "age_gate",
    "[youtube] a: Private video. Sign in if you've been granted access to this video": "private",
    "[youtube] a: Join this channel to get access to members-only content": "private",
    "[youtube] a: This video requires payment to watch": "private",
    "[youtube] a: The uploader has not made this video available in your country": "geo_blocked",
    "[youtube] a: Video unavailable. The uploader has not made this video available in your "
    "country\nYou might want to use a VPN or a proxy server to workaround.": "geo_blocked",
    "[youtube] a: Video unavailable. This video contains content from SME, who has blocked it in "
    "your country on copyright grounds": "geo_blocked",
    "[generic] a: This video is not available from your location due to geo": "geo_blocked",
    "[youtube] a: Video unavailable. This video has been removed by the uploader": "removed",
    "[youtube] a: Video unavailable. This video is no longer available because the YouTube account "
    "associated with this video has been terminated.": "removed",
    "[youtube] a: Video unavailable. This video is private": "private",
    "[youtube] a: Video unavailable": "removed",
    "[youtube] a: This video isn't available anymore": "removed",
    "[youtube] a: This video is not available": "removed",
    "[youtube] a: Requested format is not available. Use --list-formats for a list": "no_audio",
    "[youtube] a: This video is DRM protected": "undecodable_media",
    "[generic] Unsupported URL: http://example.org/a": "undecodable_media",
    "unable to download video data: HTTP Error 403: Forbidden": "network_error",
    "[youtube] a: Unable to download API page: HTTP Error 429: Too Many Requests": "network_error",
    "[youtube] a: Unable to download webpage: <urlopen error [Errno -3] Temporary failure in name "
    "resolution> (caused by URLError(gaierror(-3, 'x')))": "network_error",
    "ffmpeg exited with code 8\nServer returned 404 Not Found": "removed",
    "ffmpeg exited with code 8\nServer returned 5XX Server Error reply": "network_error",
    "ffmpeg exited with code 1\nOutput file does not contain any stream": "no_audio",
}


@pytest.mark.parametrize("message", SAID)
def test_words_have_a_meaning(message: str) -> None:
    assert ytdlp_errors.outcome(f"ERROR: {message}") == SAID[message]


def test_a_detail_is_the_same_in_every_run() -> None:
    message = (
        "\x1b[0;31mERROR:\x1b[0m [youtube] abc: Unable to download webpage: <Connection object at "
        "0x7f12ab> refused at https://127.0.0.1:4711/x (caused by Error('0x99')); please report"
    )
    wanted = "Unable to download webpage: <Connection object> refused at"
    assert ytdlp_errors.sentence(message) == wanted
    assert len(ytdlp_errors.sentence("no " * 1000)) == ytdlp_errors.MAX_DETAIL
    assert ytdlp_errors.status("HTTP Error 418: I'm a teapot") == 418
