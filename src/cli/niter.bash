# SPDX-License-Identifier: Apache-2.0
# Completion of niter for bash.

# Names and ids of what there is: niter $1 --json, the list $2. Silent when no host runs.
_niter_things() {
	niter $1 --json 2>/dev/null | sed -n 's/^      "\(id\|name\|subnetId\|groupId\|groupName\|keyName\)": "\(.*\)",*$/\2/p'
}

_niter() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]} sub=
	local words="" common="--json --profile --endpoint --help"

	COMPREPLY=()
	case $verb in
	image | volume | host | peer | network | subnet | group | key | account) sub=${COMP_WORDS[2]} ;;
	esac
	if [ "$COMP_CWORD" -eq 1 ]; then
		words="image run ps console stop start reboot rm ssh forward network subnet group key account peer types volume host audit --help --version"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == image ]]; then
		words="build put ls rm"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == forward ]]; then
		words="$(_niter_things ps) ls rm"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == volume ]]; then
		words="create ls rm"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == host ]]; then
		words="start stop status log processes certificate"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == network ]]; then
		words="ls create rm"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == subnet ]]; then
		words="ls create rm"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == group ]]; then
		words="ls create rm allow deny"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == key ]]; then
		words="ls create import rm"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == account ]]; then
		words="create ls rm key"
	elif [ "$COMP_CWORD" -eq 2 ] && [[ $verb == peer ]]; then
		words="add ls rm map unmap"
	else
		case $prev in
		--type) words=$(niter types 2>/dev/null | sed -n '2,$s/ .*//p') ;;
		--suite) words="bookworm trixie" ;;
		--cpus) words="1x1 1x2 2x1 2x2" ;;
		--key | --user-data | -i | --file)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
			;;
		--overlay | --output)
			mapfile -t COMPREPLY < <(compgen -d -- "$cur")
			return
			;;
		--name | --disk | --size | --include | --timeout | --private-ip | --user | --host-port | --ip | --mac | --endpoint | --profile | --about | --network | --subnet | --from | --to) return ;;
		*)
			case "$verb $sub" in
			"image build") words="debian --suite --include --overlay --size --name --output $common" ;;
			"image put")
				mapfile -t COMPREPLY < <(compgen -d -- "$cur")
				words="--name $common"
				;;
			"image rm") words="$(_niter_things 'image ls') $common" ;;
			"run ") words="$(_niter_things 'image ls') --type --cpus --name --disk --key --user-data --private-ip --no-wait $common" ;;
			"ps ") words="--all $common" ;;
			"console ") words="$(_niter_things ps) --follow $common" ;;
			"stop ") words="$(_niter_things ps) --force --timeout --no-wait $common" ;;
			"start " | "rm ") words="$(_niter_things ps) --no-wait $common" ;;
			"reboot ") words="$(_niter_things ps) $common" ;;
			"ssh ") words="$(_niter_things ps) --user -i --timeout $common" ;;
			"forward ") words="$(_niter_things ps) ls rm --host-port $common" ;;
			"account rm") words="$(niter account ls 2>/dev/null | sed -n '2,$s/^\([^ ]*\) *\([^ ]*\).*/\1 \2/p') $common" ;;
			"account key") words="create rm $(niter account ls 2>/dev/null | sed -n '2,$s/ \{2,\}/ /gp' | cut -d' ' -f1-3) $common" ;;
			"peer rm" | "peer map" | "peer unmap")
				words="$(_niter_things 'peer ls') $common"
				[[ $sub == rm ]] || words="$words --ip --vpc"
				[[ $sub != map ]] || words="$words --mac"
				;;
			"subnet rm") words="$(_niter_things 'subnet ls') $common" ;;
			"group create") words="--about --network $common" ;;
			"group rm") words="$(_niter_things 'group ls') $common" ;;
			"group allow" | "group deny") words="$(_niter_things 'group ls') all icmp tcp/22 tcp/80 tcp/443 --from --to $common" ;;
			"key create") words="--file --type $common" ;;
			"key import")
				mapfile -t COMPREPLY < <(compgen -f -- "$cur")
				words="--name $common"
				;;
			"key rm") words="$(_niter_things 'key ls') $common" ;;
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
