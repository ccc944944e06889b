"""pg_cron does the jobs; where it is not there, duetd does."""

import time

import psycopg

from support.database import n_waiting
from support.server import run_duetd


def last_runs(connection):
    return dict(
        connection.execute(
            "select distinct on (job) job, done_by from duet.job_run"
            " where error is null and finished_at is not null order by job, run_id desc"
        ).fetchall()
    )


def jobs_of(connection):
    return {name for name, in connection.execute("select name from duet.job").fetchall()}


def forget_runs(connection):
    """All jobs are overdue: they have never run, and are old."""
    connection.execute("delete from duet.job_run")
    connection.execute("update duet.job set made_at = now() - interval '1 day'")


def doctor(cluster, keys_file):
    done = run_duetd(
        "doctor", DUET_DATABASE_URL=cluster.url(), DUET_KEYS_FILE=str(keys_file), timeout=60
    )
    return {line.split()[1]: line for line in done.stdout.splitlines()}


def test_on_a_fresh_database_pg_cron_runs_every_job_within_two_minutes(
    start_cluster, start_server, client_of, keys_file
):
    cluster = start_cluster()
    server = start_server(DUET_DATABASE_URL=cluster.url("duet_server"))
    api = client_of(server)

    def all_ran():
        return all("last_run" in job for job in api.get("/v1/jobs").json["items"])

    server.wait_until(all_ran, 130, "a run of every job")
    jobs = api.get("/v1/jobs").json["items"]
    assert {job["last_run"]["done_by"] for job in jobs} == {"pg_cron"}
    assert {job["last_run"]["error"] for job in jobs} == {None}
    assert not any(job["late"] for job in jobs)
    assert "pg_cron is at work" in doctor(cluster, keys_file)["jobs"]


def test_without_pg_cron_duetd_runs_every_job(start_cluster, start_server, client_of, keys_file):
    cluster = start_cluster()
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("alter system set shared_preload_libraries = 'plpgsql'")
    cluster.stop()
    cluster.start()
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        assert connection.execute(
            "select count(*) from pg_stat_activity where backend_type like 'pg_cron%'"
        ).fetchone() == (0,)
        forget_runs(connection)
        server = start_server(
            DUET_DATABASE_URL=cluster.url("duet_server"), DUET_JOB_WATCH_SECONDS=1
        )
        everybody = {job: "duetd" for job in jobs_of(connection)}
        server.wait_until(lambda: last_runs(connection) == everybody, 60, "a run of every job")
        api = client_of(server)
        server.wait_until(
            lambda: "\nduet_jobs_late 0\n" in api.get("/metrics", token=None).text,
            what="no job being late",
        )
        assert "\nduet_jobs_performed_total 0\n" not in api.get("/metrics", token=None).text
        assert "duetd is at work" in doctor(cluster, keys_file)["jobs"]


def test_of_several_servers_one_does_a_job(start_cluster, start_server):
    cluster = start_cluster()
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("update cron.job set active = false")
        forget_runs(connection)
        for _ in range(3):
            server = start_server(
                DUET_DATABASE_URL=cluster.url("duet_server"), DUET_JOB_WATCH_SECONDS=1
            )
        everybody = {job: "duetd" for job in jobs_of(connection)}
        server.wait_until(lambda: last_runs(connection) == everybody, 60, "a run of every job")
        counts = connection.execute(
            "select job, count(*) from duet.job_run where job <> 'erasure_continue' group by job"
        ).fetchall()
        assert {n for _, n in counts} == {1}


def test_while_pg_cron_works_duetd_keeps_out(start_server, api, db):
    server = start_server(DUET_JOB_WATCH_SECONDS=1)
    looks = set()

    def looked_thrice():
        looks.update(
            db.execute(
                "select pid, query_start from pg_stat_activity where query like '%%duet.job_watch%%'"
                " and pid <> pg_backend_pid()"
            ).fetchall()
        )
        pids = [pid for pid, _ in looks]
        return any(pids.count(pid) > 2 for pid in pids)

    server.wait_until(looked_thrice, what="a third look for jobs")
    assert not [entry for entry in server.log if entry["event"] == "job_performed"]


def test_a_server_stops_in_time_while_a_job_runs(start_cluster, start_server):
    cluster = start_cluster()
    with psycopg.connect(cluster.url()) as holder, psycopg.connect(
        cluster.url(), autocommit=True
    ) as connection:
        connection.execute("update cron.job set active = false")
        forget_runs(connection)
        holder.execute("lock table duet.friend_request in access exclusive mode")
        server = start_server(
            DUET_DATABASE_URL=cluster.url("duet_server"), DUET_JOB_WATCH_SECONDS=1
        )
        server.wait_until(lambda: n_waiting(connection), 20, "a job that waits")
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 12
