# SPDX-License-Identifier: Apache-2.0
# Completion of niter for bash.

# Names and ids of what there is: niter $1 --json, the list $2. Silent when no host runs.
_niter_things() {
	niter $1 --json 2>/dev/null | sed -n 's/^      "\(id\|name\)": "\(.*\)",*$/\2/p'
}

_niter() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]} sub=
	local words="" common="--json --help"

	COMPREPLY=()
	case $verb in
	image | volume | host) sub=${COMP_WORDS[2]} ;;
	esac
	if [ "$COMP_CWORD" -eq 1 ]; then
		words="image run ps console stop start reboot rm types volume host --help --version"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == image ]]; then
		words="build put ls rm"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == volume ]]; then
		words="create ls rm"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == host ]]; then
		words="start stop status log processes"
	else
		case $prev in
		--type) words=$(niter types 2>/dev/null | sed -n '2,$s/ .*//p') ;;
		--suite) words="bookworm trixie" ;;
		--cpus) words="1x1 1x2 2x1 2x2" ;;
		--overlay | --output)
			mapfile -t COMPREPLY < <(compgen -d -- "$cur")
			return
			;;
		--name | --disk | --size | --include | --timeout) return ;;
		*)
			case "$verb $sub" in
			"image build") words="debian --suite --include --overlay --size --name --output $common" ;;
			"image put")
				mapfile -t COMPREPLY < <(compgen -d -- "$cur")
				words="--name $common"
				;;
			"image rm") words="$(_niter_things 'image ls') $common" ;;
			"run ") words="$(_niter_things 'image ls') --type --cpus --name --disk --no-wait $common" ;;
			"ps ") words="--all $common" ;;
			"console ") words="$(_niter_things ps) --follow $common" ;;
			"stop ") words="$(_niter_things ps) --force --timeout --no-wait $common" ;;
			"start " | "rm ") words="$(_niter_things ps) --no-wait $common" ;;
			"reboot ") words="$(_niter_things ps) $common" ;;
			"volume create") words="--size $common" ;;
			"volume rm") words="$(_niter_things 'volume ls') $common" ;;
			*) words=$common ;;
			esac
			;;
		esac
	fi
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _niter niter
