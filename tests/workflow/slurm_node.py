"""One SLURM node in a folder: controller, node and munge of one machine, no accounting, no systemd.

    python -m tests.workflow.slurm_node FOLDER COMMAND...

runs a command with such a node up.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue")
SBIN = "/usr/sbin:/usr/local/sbin"
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MinJobAge=300
InactiveLimit=0
KillWait=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=64000 Gres=gpu:2 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing_programs() -> list[str]:
    """Programs of SLURM that this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:{SBIN}") is None]


class SlurmNode:
    """A cluster of one node, up until ``stop``; commands reach it with ``environment``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = socket.gethostname().partition(".")[0]
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{os.environ['PATH']}:{SBIN}",
        }
        for name in ("munge", "state", "spool"):
            (folder / name).mkdir()
        for below in (folder, *folder.parents[:2]):
            below.chmod(below.stat().st_mode | 0o711)
        (folder / "munge").chmod(0o711)
        self._start_munge()
        ports = _free_ports(2)
        settings = {"host": self.host, "user": _user(), "controller_port": ports[0], "node_port": ports[1]}
        (folder / "slurm.conf").write_text(CONFIGURATION.format(folder=folder, **settings))
        cards = [folder / "card0", folder / "card1"]
        for card in cards:
            card.symlink_to(os.devnull)  # SLURM wants devices, and hands on the numbers in their names
        (folder / "gres.conf").write_text("".join(f"Name=gpu File={card}\n" for card in cards))
        self.start_controller()
        self.run("slurmd", "-f", str(folder / "slurm.conf"))
        self.wait_for("idle")

    def _start_munge(self) -> None:
        key = self.folder / "munge/munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        places = {"key-file": "munge.key", "socket": "munge.sock", "pid-file": "munged.pid", "log-file": "munged.log"}
        options = [f"--{option}={self.folder / 'munge' / name}" for option, name in places.items()]
        self.run("munged", "--force", *options, f"--seed-file={self.folder / 'munge/seed'}")

    def run(self, *command: str) -> str:
        """What a command prints."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def start_controller(self) -> None:
        self.run("slurmctld", "-f", str(self.folder / "slurm.conf"))

    def stop_controller(self) -> None:
        self._stop(self.folder / "slurmctld.pid")

    def wait_for(self, state: str) -> None:
        """Wait until the node has a state."""
        for _ in range(120):
            asked = subprocess.run(["sinfo", "-h", "-o", "%t"], env=self.environment, capture_output=True, text=True)
            if asked.stdout.strip() == state:
                return
            time.sleep(0.25)
        raise TimeoutError(f"the node is not {state}: {asked.stdout}{asked.stderr}")

    def set_state(self, state: str) -> None:
        """Take the node out of use (``drain``) or back into it (``resume``)."""
        self.run("scontrol", "update", f"nodename={self.host}", f"state={state}", "reason=test")

    def jobs(self, *states: str) -> list[str]:
        """Numbers of the jobs that wait or run, or of those in some states."""
        chosen = [f"--states={','.join(states)}"] if states else []
        return self.run("squeue", "--noheader", "--format=%i", *chosen).split()

    def stop(self) -> None:
        """End all jobs and daemons."""
        for number in self.jobs():
            self.run("scancel", "--signal=KILL", "--full", number)
            self.run("scancel", number)
        for name in ("slurmd.pid", "slurmctld.pid", "munge/munged.pid"):
            self._stop(self.folder / name)

    def _stop(self, file: Path) -> None:
        if not file.is_file():
            return
        pid = int(file.read_text())
        os.kill(pid, 15)
        for _ in range(100):
            if not Path(f"/proc/{pid}").exists():
                return
            time.sleep(0.1)


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _free_ports(n: int) -> list[int]:
    held = [socket.socket() for _ in range(n)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def run_with_node(folder: Path, command: list[str]) -> int:
    """Exit status of a command that a node, up as long as it runs, takes jobs from."""
    folder.mkdir()
    node = SlurmNode(folder)
    try:
        return subprocess.run(command, env=node.environment, check=False).returncode
    finally:
        node.stop()


if __name__ == "__main__":
    sys.exit(run_with_node(Path(sys.argv[1]).resolve(), sys.argv[2:]))
