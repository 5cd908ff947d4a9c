"""Bundles to and from a model hub; everything else works without one."""

from __future__ import annotations

from pathlib import Path

from onlay.bundle.writing import CARD, CONFIG, TENSORS
from onlay.errors import BundleError
from onlay.machine.fetching import quiet_hub, why

PREFIX = "hf-hub:"
"""As in timm: `hf-hub:user/name`, with `@revision` to pin a commit, tag or branch."""


def download(address: str) -> Path:
    """The local copy of the bundle at `hf-hub:user/name[@revision]`; only a bundle's own files.

    Raises:
        BundleError: no such bundle, or the hub cannot be reached and nothing is cached; or nothing
            follows the `@`.
    """
    from huggingface_hub import snapshot_download

    repo_id, at, revision = address.removeprefix(PREFIX).partition("@")
    if at and not revision:  # not the newest, which nobody pinned
        raise BundleError(
            f"`{address}` names no revision after the `@`: give a commit, tag or branch, or leave"
            " the `@` out"
        )
    try:
        with quiet_hub():
            folder = snapshot_download(
                repo_id, revision=revision or None, allow_patterns=[CONFIG, TENSORS, CARD]
            )
    except (OSError, ValueError) as error:  # the hub's errors are kinds of these two
        raise BundleError(f"`{address}` cannot be had from the hub: {why(error)}") from error
    return Path(folder)


def upload(folder: Path, repo_id: str, *, private: bool = False) -> str:
    """Put a bundle folder on the hub, in a repository made where needed; the commit's address."""
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        with quiet_hub():
            api.create_repo(repo_id, private=private, exist_ok=True)
            commit = api.upload_folder(
                folder_path=folder, repo_id=repo_id, commit_message="Upload an Onlay adapter"
            )
    except (OSError, ValueError) as error:
        raise BundleError(f"`{repo_id}` cannot be written on the hub: {why(error)}") from error
    return commit.commit_url
