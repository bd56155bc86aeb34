#!/bin/sh
# Makes the prompts of texts.tsv with espeak-ng (Mandarin) and the music with sox, as mono PCM16 WAV at 8 and 16 kHz:
# 8k/<name>.wav and 16k/<name>.wav. Any file can be replaced by a recording of the same format; `make.sh <name>...` makes only
# the named ones anew.
set -eu
cd "$(dirname "$0")"
for tool in espeak-ng sox; do
    command -v "$tool" >/dev/null || { echo "make.sh: $tool is missing: apt-get install espeak-ng sox" >&2; exit 1; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Numbers of a hotline are read digit by digit: 12345 is 幺二三四五.
spell() {
    sed -e 's/1/幺/g' -e 's/2/二/g' -e 's/3/三/g' -e 's/4/四/g' -e 's/5/五/g' \
        -e 's/6/六/g' -e 's/7/七/g' -e 's/8/八/g' -e 's/9/九/g' -e 's/0/零/g'
}

# wanted NAME WANTED...: whether NAME is to be made; no list means all.
wanted() {
    name=$1
    shift
    [ $# -eq 0 ] && return 0
    for each in "$@"; do [ "$each" = "$name" ] && return 0; done
    return 1
}

# place IN NAME EFFECTS...: writes both rates. -R: the same random numbers for dithering each time, so the same bytes.
place() {
    in=$1 name=$2
    shift 2
    for rate in 8 16; do
        mkdir -p "${rate}k/$(dirname "$name")"
        sox -R "$in" -r "${rate}000" -c 1 -b 16 -e signed-integer "${rate}k/$name.wav" "$@"
    done
}

grep -v '^#' texts.tsv | while IFS="$(printf '\t')" read -r name text; do
    wanted "$name" "$@" || continue
    # Not the voice `cmn`: espeak-ng 1.51 reads its own pinyin with English sounds there.
    printf '%s' "$text" | spell | espeak-ng -v cmn-latn-pinyin -s 230 -w "$work/speech.wav" --stdin
    # Telephone level: speech peaks at -6 dBFS; cut silence at both ends, leave 0.1 s before and 0.2 s behind.
    place "$work/speech.wav" "$name" gain -3 silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse \
        highpass 150 lowpass 3600 norm -6 pad 0.1 0.2
done

# note FREQUENCY SECONDS FILE: a plucked string, soft.
note() { sox -R -n -r 16000 -c 1 "$3" synth "$2" pluck "$1" fade t 0.005 "$2" 0.15 gain -8; }

# A quiet tune in the pentatonic scale (C D E G A), 30 s long, to be looped. Our own: 40 notes of 0.75 s.
if wanted music/waiting "$@"; then
    tune='392 440 523 440 392 330 294 330 392 440 392 330 294 262 294 330 392 523 587 523 440 392 440 523 440 392 330 392 330 294 262 294 330 392 440 392 330 294 262 262'
    i=0
    files=''
    for frequency in $tune; do
        i=$((i + 1))
        file="$work/$(printf %02d $i).wav"
        note "$frequency" 0.75 "$file"
        files="$files $file"
    done
    # shellcheck disable=SC2086 # the list is split on purpose
    sox -R $files "$work/tune.wav" reverb 30 lowpass 3000
    place "$work/tune.wav" music/waiting norm -16 trim 0 30
fi
