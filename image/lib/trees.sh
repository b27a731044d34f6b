# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with image/build
# The two trees of Debian 13 that the image is made from: `tools` (what makes it, and the compiler)
# and `root` (what runs in it; `root-samba` if that is the share). Each is made once from
# packages/NAME.list, for the root with share/SHARE/packages.list, and kept in
#
#     $BINVAULT_IMAGE_CACHE (default ~/.cache/binvault/image)/NAME-HASH
#
# where HASH is that of the list and of the options below: another list is another folder, and the
# old one may be deleted by hand. packages/NAME.lock holds the versions that were built last; a mirror
# that serves other ones is drift, which is named and, with BINVAULT_IMAGE_LOCKED=1, an error.

suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
cache=${BINVAULT_IMAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/binvault/image}

# The sources of apt of this machine, with our suite in place of its own.
sources() {
	local codename
	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	apt-get --print-uris update |
		sed -nE "s#^'([a-z+]+:.*)/dists/$codename(-updates|-security)?/(In)?Release'.*#deb [signed-by=$keyring] \1 $suite\2 main#p" |
		sort -u
}

list_of() {
	local -a lists=("$image/packages/${1%-samba}.list")
	[[ $1 == tools ]] || lists+=("$image/share/$share/packages.list")
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "${lists[@]}"
}

# What mmdebstrap is told beside the list. `essential` leaves apt itself out of the root.
options_of() {
	case $1 in
	tools) printf '%s\n' --variant=apt ;;
	root*) printf '%s\n' --variant=essential ;;
	esac
	printf '%s\n' --format=directory --aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-include=/usr/share/doc/*/copyright' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*'
}

# tree NAME: makes it if it is not there; says where it is.
tree() {
	local name=$1 hash place
	hash=$({ list_of "$name" && options_of "$name" && echo "$suite"; } | sha256sum | cut -c 1-16)
	place=$cache/$name-$hash
	[[ -e $place/complete ]] || make_tree "$name" "$place" >&2
	compare_lock "$name" "$place" >&2
	echo "$place/tree"
}

make_tree() {
	local name=$1 place=$2 work packages
	local -a options from
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/.$name.XXXXXX")
	mapfile -t options < <(options_of "$name")
	mapfile -t from < <(sources)
	((${#from[@]} > 0)) || fail "apt of this machine has no source of its own suite"
	packages=$(list_of "$name" | paste -s -d ,)
	say "making the $name tree (once, one to three minutes)"
	# The kernel's package would make an initrd of its own; ours is another.
	if ! INITRD=No SOURCE_DATE_EPOCH=$epoch mmdebstrap --mode=root "${options[@]}" \
		--include="$packages" "$suite" "$work/tree" "${from[@]}" >"$work/log" 2>&1; then
		tail -n 15 "$work/log" | sed 's/^/    | /'
		rm -rf --one-file-system "$work/tree"
		say "the packages of the $name tree cannot be had; the whole log is $work/log"
		exit 3
	fi
	dpkg-query --admindir="$work/tree/var/lib/dpkg" --show \
		--showformat='${Package}=${Version}\n' | LC_ALL=C sort >"$work/lock"
	touch "$work/complete"
	# Another build may have made the same meanwhile.
	mv --no-target-directory "$work" "$place" 2>/dev/null || {
		[[ -e $place/complete ]] || fail "$work cannot become $place; is an unfinished one there? delete it"
		rm -rf --one-file-system "$work"
	}
}

compare_lock() {
	local lock=$image/packages/$1.lock
	if [[ ! -e $lock ]] || [[ -n ${write_locks:-} ]]; then
		cp "$2/lock" "$lock"
		say "wrote packages/$1.lock"
	elif ! cmp --silent "$lock" "$2/lock"; then
		say "the $1 tree is not what packages/$1.lock says (< committed, > here):"
		diff "$lock" "$2/lock" | grep '^[<>]' | sed 's/^/    | /' || true
		[[ ${BINVAULT_IMAGE_LOCKED:-} != 1 ]] ||
			fail "BINVAULT_IMAGE_LOCKED=1 allows no drift; see image/README.md"
	fi
}
