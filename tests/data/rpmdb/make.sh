#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes rpm databases of each form, with the programs that make them in real guests: three packages
# without files, one of them with a header of several pages. Run it in this folder. Needs the
# packages rpm, db5.3-util, gcc and curl; rpm's source is fetched for the form that Debian's rpm
# is built without.
set -e
out=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

package() { # name epoch version release description
    {
        echo "Name: $1"
        [ -z "$2" ] || echo "Epoch: $2"
        printf 'Version: %s\nRelease: %s\nSummary: No content\nLicense: none\nBuildArch: noarch\n' "$3" "$4"
        printf '%%description\n%s\n%%files\n' "$5"
    } > "$1.spec"
    rpmbuild -bb --quiet --define "_topdir $work" --define "_buildhost localhost" "$1.spec"
}
package open-vm-tools '' 11.0.5 3.el7 short
package systemd 1 219 78.el7 short
package long '' 1.0 1 "$(seq -w 1 3000 | tr '\n' ' ')"

# SQLite; the last package is only in the write-ahead log, as after a crash.
rpm --dbpath "$work/db" --define '_db_backend sqlite' --initdb
rpm --dbpath "$work/db" --define '_db_backend sqlite' -i --justdb --nodeps RPMS/noarch/*.rpm
python3 - <<'EOF'
import shutil
import sqlite3

kept = sqlite3.connect("db/rpmdb.sqlite", isolation_level=None)
for number, blob in kept.execute("SELECT hnum, blob FROM Packages"):
    with open(f"{number}.header", "wb") as file:
        file.write(blob)
    if b"open-vm-tools\0" in blob:
        late = blob.replace(b"open-vm-tools\0", b"late-vm-tools\0")
kept.execute("PRAGMA wal_autocheckpoint = 0")
for table in ("Name", "Providename", "Sigmd5", "Sha1header", "Installtid"):
    kept.execute(f"DELETE FROM {table}")
kept.execute("PRAGMA journal_mode = DELETE")
kept.execute("VACUUM")
kept.execute("PRAGMA journal_mode = WAL")
shutil.copy("db/rpmdb.sqlite", "rpmdb.sqlite")
kept.execute("INSERT INTO Packages VALUES (99, ?)", (late,))
shutil.copy("db/rpmdb.sqlite-wal", "rpmdb.sqlite-wal")


def record(number, data):
    return f" {number.to_bytes(4, 'little').hex()}\n {data.hex()}\n"


records = record(0, (3).to_bytes(4, "little"))
for number in (1, 2, 3):
    with open(f"{number}.header", "rb") as file:
        records += record(number, file.read())
for kind in ("hash", "btree"):
    with open(f"Packages.{kind}.dump", "w") as file:
        file.write(f"VERSION=3\nformat=bytevalue\ntype={kind}\ndb_pagesize=4096\nHEADER=END\n{records}DATA=END\n")
EOF
db5.3_load -f Packages.hash.dump Packages
db5.3_load -f Packages.btree.dump Packages.btree

curl -sfL http://deb.debian.org/debian/pool/main/r/rpm/rpm_4.18.0+dfsg.orig.tar.xz | tar -xJ
cat > system.h <<'EOF'
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define xmalloc malloc
#define xcalloc calloc
#define xrealloc realloc
#define xstrdup strdup
#define _(x) x
EOF
mkdir rpm
echo '#define rpmlog(...) ((void)0)' > rpm/rpmlog.h
cat > main.c <<'EOF'
#include <fcntl.h>
#include "system.h"
#include "rpmpkg.h"
int main(int argc, char **argv)
{
    static unsigned char blob[1 << 20];
    unsigned index;
    rpmpkgdb db = 0;
    if (rpmpkgOpen(&db, argv[1], O_RDWR | O_CREAT, 0666))
        return 1;
    for (int i = 2; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        size_t size = fread(blob, 1, sizeof blob, file);
        if (rpmpkgNextPkgIdx(db, &index) || rpmpkgPut(db, index, blob, size))
            return 2;
    }
    rpmpkgClose(db);
    return 0;
}
EOF
ndb=rpm-4.18.0/lib/backend/ndb
gcc -D_GNU_SOURCE -I. -I$ndb $ndb/rpmpkg.c main.c -o ndb
./ndb Packages.db ./*.header

for file in rpmdb.sqlite rpmdb.sqlite-wal Packages Packages.btree Packages.db; do
    gzip -9n < "$file" > "$out/$file.gz"
done
