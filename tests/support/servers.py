# SPDX-License-Identifier: MIT
"""Private servers for stories: a redis-server and a mariadbd each, on unix sockets in a scratch folder.

Tests look at them with plain blocking clients (redis-py, PyMySQL), never with headrace's own drivers.
"""
import os
import pwd
import shutil
import socket
import subprocess
import time

import pymysql
import redis

from support.process import Process, until


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class RedisServer(Process):
    """A redis-server. Options are its own (maxmemory="3mb"), with - written as _.

    appendonly="yes" keeps confirmed writes over kill(). port: also listens on loopback TCP.
    appendfsync is not everysec: with that Redis puts off even its write() while an fsync is under way,
    for up to two seconds, and kill -9 loses what it has confirmed meanwhile.
    """

    def __init__(self, folder, appendonly="no", port=0, **options):
        super().__init__("redis", folder)
        self.socket = os.path.join(folder, "redis.sock")
        self.port = port
        self.options = {
            "port": port, "bind": "127.0.0.1", "unixsocket": self.socket, "dir": folder,
            "save": "", "appendonly": appendonly, "appendfsync": "no", "loglevel": "notice",
        }
        self.options.update((name.replace("_", "-"), value) for name, value in options.items())
        # A client that asks again by itself would push an item twice: newer ones do.
        self.client = redis.Redis(unix_socket_path=self.socket, retry=None)

    @property
    def url(self):
        return f"unix://{self.socket}?db=0"

    def start(self, wait=True):
        command = ["redis-server"]
        for name, value in self.options.items():
            command += ["--" + name, str(value)]
        self.spawn(command)
        if wait:
            until(self.answers, what="redis answering")
        return self

    def answers(self):
        if not self.running:
            raise AssertionError("redis ended at its start\n" + self.tail())
        try:
            return self.client.ping()
        except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
            return False

    def restart(self):
        self.kill()
        return self.start()


class MariaDBServer(Process):
    """A mariadbd with a database `shop`. The test is root on its socket; the daemon is `app`, without
    a password and without root's exemptions from read_only and max_connections.

    template: a datadir made by bootstrap(), copied for each server. Options are mariadbd's own,
    with - written as _. port: also listens on loopback TCP, there `app` has the password `secret`.
    """

    def __init__(self, folder, template, port=0, flush_log_at_trx_commit=1, **options):
        super().__init__("mariadb", folder)
        self.socket = os.path.join(folder, "mariadb.sock")
        self.port = port
        self.datadir = os.path.join(folder, "mariadb")
        self.template = template
        self.options = {
            "datadir": self.datadir, "tmpdir": folder, "socket": self.socket, "pid-file": self.socket + ".pid",
            "innodb-flush-log-at-trx-commit": flush_log_at_trx_commit,
            "innodb-buffer-pool-size": "32M", "performance-schema": "OFF", "skip-name-resolve": "ON",
            "skip-slave-start": "ON", "log-warnings": 2,
        }
        self.options.update(_SIZES)
        if port:
            self.options.update({"port": port, "bind-address": "127.0.0.1"})
        else:
            self.options["skip-networking"] = "ON"
        self.options.update((name.replace("_", "-"), value) for name, value in options.items())
        if not any(name.startswith("ssl") for name in self.options):
            self.options["ssl"] = "OFF"  # from 11.4 on a server takes its time to make a certificate
        self._connection = None

    @property
    def url(self):
        return f"mysql://app@/shop?socket={self.socket}"

    def start(self, wait=True):
        fresh = not os.path.exists(self.datadir)
        if fresh:
            shutil.copytree(self.template, self.datadir)
        self.spawn(["mariadbd", "--no-defaults", *_run_as()]
                   + [f"--{name}={value}" for name, value in self.options.items()])
        if wait:
            until(self.answers, what="mariadbd answering")
        if fresh:
            assert wait, "the first start makes the database, so it has to be waited for"
            self.execute("CREATE DATABASE IF NOT EXISTS shop CHARACTER SET utf8mb4")
            self.execute("CREATE USER app@localhost")
            self.execute("GRANT ALL ON shop.* TO app@localhost")
            self.execute("CREATE USER app@'127.0.0.1' IDENTIFIED BY 'secret'")
            self.execute("GRANT ALL ON shop.* TO app@'127.0.0.1'")
            self._forget()
        return self

    def answers(self):
        if not self.running:
            raise AssertionError("mariadbd ended at its start\n" + self.tail())
        try:
            self.connect(database=None).close()
            return True
        except pymysql.MySQLError:
            return False

    def restart(self):
        self.kill()
        return self.start()

    def connect(self, database="shop", autocommit=True, **options):
        """A connection of the test's own, for locks and transactions. Close it."""
        return pymysql.connect(unix_socket=self.socket, user="root", database=database,
                               autocommit=autocommit, charset="utf8mb4", connect_timeout=10, **options)

    def execute(self, sql, args=None):
        """Runs one statement on a connection kept for that; returns its rows. Reconnects by itself."""
        for again in (True, False):
            try:
                if self._connection is None:
                    database = "shop" if "CREATE DATABASE" not in sql else None
                    self._connection = self.connect(database)
                with self._connection.cursor() as cursor:
                    cursor.execute(sql, args)
                    return cursor.fetchall()
            except (pymysql.OperationalError, pymysql.InterfaceError) as error:
                self._forget()
                if not again or not error.args or error.args[0] not in (0, 2006, 2013):
                    raise

    def script(self, sql):
        for statement in sql.split(";"):
            if statement.strip():
                self.execute(statement)

    def count(self, table):
        return self.execute(f"SELECT COUNT(*) FROM {table}")[0][0]

    def column(self, table, column):
        """All values of a column, sorted."""
        return sorted(row[0] for row in self.execute(f"SELECT {column} FROM {table}"))

    def sessions(self):
        """Ids of the daemons' connections."""
        return [row[0] for row in self.execute(
            "SELECT id FROM information_schema.processlist WHERE user = 'app'")]

    def in_transaction(self):
        """How many transactions of daemons are open and have written."""
        return self._transactions("trx_rows_modified > 0")

    def waiting_for_locks(self):
        """How many transactions of daemons wait for a row that another one holds."""
        return self._transactions("trx_state = 'LOCK WAIT'")

    def _transactions(self, condition):
        # InnoDB answers from a cache that it does not renew within 0.1 s of the last look.
        time.sleep(0.11)
        return self.execute(
            "SELECT COUNT(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
            f" ON p.id = t.trx_mysql_thread_id WHERE p.user = 'app' AND {condition}")[0][0]

    def kill(self):
        self._forget()
        super().kill()

    def stop(self, timeout=30):
        self._forget()
        return super().stop(timeout)

    def _forget(self):
        if self._connection is not None:
            self._connection._force_close()
            self._connection = None


# COM_QUERY and its text: a commit on the wire, told from READ COMMITTED in a session's set-up.
COMMIT = b"\x03COMMIT"
# Where a batch of a few rows has its whole transaction in one request.
ONCE = b"\x03BEGIN NOT ATOMIC"

# Small files make the copy of a datadir cheap; they must be the same at bootstrap and afterwards.
_SIZES = {
    "innodb-log-file-size": "16M",
    "innodb-data-file-path": "ibdata1:4M:autoextend",
    "innodb-autoextend-increment": 1,
}


def _run_as():
    """mariadbd refuses to run as root unless told to."""
    return ["--user=" + pwd.getpwuid(os.getuid()).pw_name]


def bootstrap(datadir):
    """Makes an empty MariaDB datadir, once in a test session."""
    # --force: a container need not know its own name, and nobody comes by name.
    command = ["mariadb-install-db", "--no-defaults", "--force", *_run_as(), "--datadir=" + datadir,
               "--tmpdir=" + os.path.dirname(datadir),
               "--auth-root-authentication-method=normal", "--skip-test-db"]
    command += [f"--{name}={value}" for name, value in _SIZES.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return datadir
