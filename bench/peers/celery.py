"""Celery on Redis.

`acks_late` is what its documentation asks for where a task must survive its worker. The pool is prefork with
as many processes as there are cores, its default and the one it recommends to begin with; on two cores it
does more than gevent or threads here. Its client blocks, so that it is called in FastAPI's threads.
"""

import os

import requests
from celery import Celery
from fastapi import FastAPI, Response

REDIS = os.environ["PEER_REDIS"]
UPSTREAM = os.environ["PEER_UPSTREAM"] + "/echo"

tasks = Celery("peers", broker=REDIS, backend=REDIS)
tasks.conf.task_acks_late = True
session = requests.Session()
app = FastAPI()


@tasks.task(name="run")
def run(body: dict) -> dict:
    answer = session.post(UPSTREAM, json=body)
    return {"status": answer.status_code, "body": answer.text}


@app.post("/submit", status_code=202)
def take(body: dict) -> dict[str, str]:
    return {"id": run.delay(body).id}


@app.get("/result/{job}", response_model=None)
def look(job: str) -> dict | Response:
    found = tasks.AsyncResult(job)
    return found.result if found.successful() else Response(status_code=425)
