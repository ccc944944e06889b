import time, pytest
from support import text_message
from support.sse import Stream

def test_first(api, ann, bob):
    with Stream(api, bob) as s:
        assert s.status == 200
        print(s.headers)
        print(s.until("sync"))
        t=time.time()
        api.post("/v1/messages", text_message(ann, bob, "hello"))
        print(time.time()-t)
        print(s.until("message"))
        print(time.time()-t)
def test_wait(api, ann, bob):
    import threading
    t=time.time()
    r=api.get(f"/v1/users/{bob}/events", params={"wait": 1})
    print(r, time.time()-t)
    got=[]
    th=threading.Thread(target=lambda: got.append((api.get(f"/v1/users/{bob}/events", params={"wait": 20}), time.time())))
    th.start(); time.sleep(0.5)
    t=time.time()
    api.post("/v1/messages", text_message(ann, bob, "hello"))
    th.join()
    print(got, got[0][1]-t)
