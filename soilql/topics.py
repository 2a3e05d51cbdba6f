"""What `soilql explain` says of what no kind documents: recipes, parents, inputs and the lock file."""

from __future__ import annotations

from collections.abc import Mapping

_USE = """\
use: a recipe, that is another spec, whose blocks are available under an alias.

A published study that is a spec can be computed again, changed in a line, or compared with another one. A block of a
recipe goes by `alias::name`, and a variable of it by `alias::name.variable`. Inside the recipe nothing changes: its
blocks have the keys that they have alone, so that what was computed once is not computed again. The whole recipe is
linted, and computed is only what the spec refers to or lists under `blocks`.

A recipe is named by a path that starts from the file that names it, by `registry:NAME` (the studies that come with
soilql, such as `registry:warner2019`), or by an `https://` address. The last two have to be pinned: see `soilql explain
lock`. An input of type `reference` lets a recipe take a block of yours: `{drivers: mine}`.

Example:

    soilql: 1
    use:
      warner:
        from: registry:warner2019
        inputs: {srdb: registry:srdb-v3, trees: 200}
        blocks: [skill_by_place]
    analyses:
      total: {kind: total, of: warner::rs, land_fraction: none}
"""

_EXTENDS = """\
extends: one parent, a spec that this one takes over and changes.

Blocks and keys are merged by name, to any depth: what this file says wins, and a list is replaced as a whole. `$remove`
leaves out what the parent has: `$remove: [names]` in a mapping, or as the value of one key. Removing what is not there
is an error, as the name is misspelt or the parent has changed. A bare value over a declared input sets its default and
keeps its type and bounds. `soilql render` prints the spec that comes of it.

With `extends` there is one study with changes; with `use` there are two studies side by side.

Example:

    soilql: 1
    extends: warner2019.yaml
    inputs: {srdb: registry:srdb-v3}
    models:
      qrf: {min_leaf: 5}
    analyses:
      $remove: [rh_subke]
      budget: {of: [rs, rh_bond_lamberty]}
"""

_INPUTS = """\
inputs: typed values with defaults, used as `${inputs.name}` and set with `--set name=value`.

The value takes the place of the whole scalar and keeps its type: it is never pasted into a longer text. The type is
that of the default, or stated as `type`; `min`, `max` and `choices` say what may be set. `type: reference` takes the
name of a block, and so lets a spec that uses this one as a recipe put a block of its own in the place of the default.

Example:

    soilql: 1
    inputs:
      trees: {default: 500, min: 1, doc: trees of the forest}
      source: registry:srdb-v5
    datasets:
      srdb: {kind: table, source: "${inputs.source}", where: Rs_annual > 0}
    models:
      qrf: {kind: quantile_forest, formula: Rs_annual ~ MAT + MAP, data: srdb, trees: "${inputs.trees}"}
"""

_LOCK = """\
lock: `soilql.lock`, the sha256 of the recipes that the specs of a folder use.

A recipe from the network or the registry could change between today and the day someone repeats the study. `soilql lock
SPEC` fetches what the spec uses, keeps it in the cache and writes its sha256 beside the spec; the file is meant to be
kept with the spec, under version control. While a spec is linted, planned or run nothing is fetched: a recipe that is
not pinned (SQ136), that differs from what is pinned (SQ137) or that is not on this machine (SQ138) is an error. `soilql
lock SPEC --update` accepts what has changed. Files of your own are pinned with `--local`. A recipe that comes with
soilql is pinned as well: another release may have mended it.

Data sets need no lock: the registry has the sha256 of every file.

Example:

    soilql-lock: 1
    recipes:
      "registry:warner2019":
        sha256: 8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92
"""

TOPICS: Mapping[str, str] = {"use": _USE, "extends": _EXTENDS, "inputs": _INPUTS, "lock": _LOCK}
