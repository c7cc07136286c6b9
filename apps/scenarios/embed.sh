#!/bin/sh
# Prints a C file that holds the named files as byte arrays, and the table app_embedded_files over them.
set -eu
echo '#include "apps/embedded.h"'
i=0
for file in "$@"; do
    echo "static const unsigned char data_${i}[] = {"
    od -An -v -tu1 "$file" | sed 's/  */,/g; s/^,//; s/$/,/'
    echo "};"
    i=$((i + 1))
done
echo 'const struct app_embedded_file app_embedded_files[] = {'
i=0
for file in "$@"; do
    echo "    {\"$(basename "$file")\", data_$i, sizeof data_$i},"
    i=$((i + 1))
done
echo '    {0, 0, 0}};'
