"""Memory of `martinet serve` under idle connections: idle.py NUMBER PROGRAM (docs/robustness.md)."""
import json
import socket
import subprocess
import sys
n=int(sys.argv[1])
p=subprocess.Popen([sys.argv[2],"serve","--receiver","lenient","--smtp","127.0.0.1:0","--dns","127.0.0.1:0","--http","off","--format","json","--connections",str(n+10)],stdout=subprocess.PIPE)
h,port=json.loads(p.stdout.readline())["smtp"].rsplit(":",1)
rss=lambda:int(open(f"/proc/{p.pid}/statm").read().split()[1])*4
a, c = rss(), []
for i in range(n):
    s=socket.socket(); s.bind(("127.0.0.2",0)); s.connect((h,int(port))); c.append(s)
for s in c: assert s.recv(100).startswith(b"220")
b=rss()
for s in c: s.sendall(b"EHLO a.test\r\nMAIL FROM:<a@example.test>\r\n")
for s in c:
    d=b""
    while b"250 2.1.0" not in d: d+=s.recv(4096)
print(n,"connections: greeted",b,"KiB, in a transaction",rss(),"KiB, before",a,"KiB")
p.terminate(); print("exit",p.wait())
