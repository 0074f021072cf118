"""Sends one message as an MTA does: MX and address by the nameserver of /etc/resolv.conf, then port 25.

    mx_sender.py RECIPIENT HELO [SOURCE]

Prints the last reply. The exit code is 0 if the message is accepted, otherwise 1. Standard library only.
"""

import random
import smtplib
import socket
import struct
import sys

MX, A, AAAA = 15, 1, 28


def nameserver():
    with open("/etc/resolv.conf") as lines:
        return next(line.split()[1] for line in lines if line.startswith("nameserver"))


def read_name(data, at):
    labels = []
    while data[at]:
        if data[at] >= 0xC0:
            pointer = struct.unpack_from("!H", data, at)[0] & 0x3FFF
            return ".".join(labels + [read_name(data, pointer)[0]]), at + 2
        labels.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    return ".".join(labels), at + 1


def ask(name, kind):
    number = random.randrange(65536)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack("!6H", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(5)
        udp.sendto(query, (nameserver(), 53))
        data = udp.recv(4096)
    answers, at = [], 12
    for _ in range(struct.unpack_from("!H", data, 4)[0]):
        at = read_name(data, at)[1] + 4
    for _ in range(struct.unpack_from("!H", data, 6)[0]):
        at = read_name(data, at)[1]
        found, _, _, octets = struct.unpack_from("!2HIH", data, at)
        at += 10
        if found == kind == MX:
            answers.append((struct.unpack_from("!H", data, at)[0], read_name(data, at + 2)[0]))
        elif found == kind:
            family = socket.AF_INET if kind == A else socket.AF_INET6
            answers.append(socket.inet_ntop(family, data[at : at + octets]))
        at += octets
    return answers


def main():
    recipient, helo = sys.argv[1:3]
    source = (sys.argv[3], 0) if len(sys.argv) > 3 else None
    _, exchange = min(ask(recipient.rsplit("@", 1)[1], MX))
    address = (ask(exchange, A) or ask(exchange, AAAA))[0]
    try:
        with smtplib.SMTP(address, 25, local_hostname=helo, timeout=10, source_address=source) as smtp:
            smtp.ehlo_or_helo_if_needed()
            smtp.sendmail("someone@fabrikam.test", [recipient], "Subject: test\r\n\r\nHello.\r\n")
    except smtplib.SMTPRecipientsRefused as error:
        (reply,) = error.recipients.values()
        print(*reply)
        sys.exit(1)
    except smtplib.SMTPResponseException as error:
        print(error.smtp_code, error.smtp_error)
        sys.exit(1)
    print("accepted")


main()
