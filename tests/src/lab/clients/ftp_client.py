"""One transfer: HOST PORT USER PASSWORD active|passive download|upload REMOTE LOCAL."""

import ftplib
import sys

host, port, user, password, mode, direction, remote, local = sys.argv[1:]

with ftplib.FTP(timeout=5) as ftp:
    ftp.set_debuglevel(1)
    ftp.connect(host, int(port))
    ftp.login(user, password)
    ftp.set_pasv(mode == "passive")
    if direction == "download":
        with open(local, "wb") as file:
            ftp.retrbinary("RETR " + remote, file.write)
    else:
        with open(local, "rb") as file:
            ftp.storbinary("STOR " + remote, file)
    ftp.quit()
