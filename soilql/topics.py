"""What `soilql explain` says of what no kind documents: recipes, inputs, roles, units, members ..."""

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

_ROLES = """\
roles: the parts that columns of a table play: `lat`, `lon`, `time`, `site`.

`lat` and `lon`, in degrees, are needed wherever grids or maps of classes are looked up. `time` is a year, decimal year
or date: `extract` takes the map of that year, `resample` and the analyses of series go by it. `site` is what rows of
one place have in common; without it, rows of the same `lat` and `lon` are one site. Folds of sites (`group: site`),
searches and selections inside a model, and members that draw rows anew keep the rows of a site together.

Where a parameter asks for a role or column, a role goes before a column of the same name.

Example:

    soilql: 1
    datasets:
      srdb:
        kind: table
        source: registry:srdb-v5
        columns: {year: {expr: floor(Study_midyear)}}
        roles: {lat: Latitude, lon: Longitude, time: year, site: Site_ID}
    validation:
      by_site: {kind: kfold, group: site}
"""

_UNITS = """\
units: what stands under `unit` and `from_unit`, in the notation of the field.

`g C m-2 yr-1`, `gC/m2/yr` and `g C m^-2 yr^-1` are the same. `C` behind a mass is carbon, so that `umol CO2 m-2 s-1`
and `g CO2 m-2 d-1` become `g C m-2 yr-1` by molar mass. `mm` of water is `kg H2O m-2`; a year has 365.25 days and a
month a twelfth of them; `degC` and `K` differ by an offset, and `1/degC` is `K-1`. `1` is a plain number, `%` a
hundredth.

In `columns` and `variables`, `unit` is the unit wanted: values are converted from `from_unit`, or from what the file or
the registry says. Where none of these is known the values are taken to be in `unit` already. Units of parameters are
checked against the formula.

Example:

    soilql: 1
    datasets:
      srdb:
        kind: table
        source: registry:srdb-v5
        columns:
          Rs: {from: Rs_annual, unit: kg C m-2 yr-1}
          T: {from: Study_temp, from_unit: degC, unit: K}
"""

_MEMBERS = """\
members: Monte Carlo replicates of a prediction, from which maps and totals take intervals.

What a member is, the model says: `uncertainty` of formulas (draws of parameters, or refits), `members_from` of learners
(single trees, rows drawn anew, tuned candidates). How many, the analysis says: `members` of `predict`, or of `total`
with `models`. Each member is a whole map of all years, so that a total of members has the correlation between cells
that quantile maps lack: `interval` of `total` comes from totals of members, `total_q05` from adding up a quantile map.

Members tell how well the mean is known. A single observation scatters about it, as `quantiles` tell.

Example:

    soilql: 1
    datasets:
      drivers: {kind: grid, source: registry:jian2021-drivers}
      srdb: {kind: table, source: registry:srdb-v5, roles: {lat: Latitude, lon: Longitude}, select: Rs_annual}
      training: {kind: extract, at: srdb, from: drivers, variables: [MAT]}
    models:
      q10:
        kind: nonlinear
        formula: Rs_annual ~ R10 * Q10^((MAT - 10) / 10)
        params: [R10, Q10]
        data: training
        uncertainty: bootstrap
    analyses:
      rs: {kind: predict, model: q10, on: drivers, members: 200, interval: 0.95}
"""

TOPICS: Mapping[str, str] = {
    "use": _USE,
    "extends": _EXTENDS,
    "inputs": _INPUTS,
    "lock": _LOCK,
    "roles": _ROLES,
    "units": _UNITS,
    "members": _MEMBERS,
}
