"""Tables as spreadsheets, CloudCompare, scanners and programs for data export them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from onlay_pointcloud.data.columns import Wanted, axes_of
from onlay_pointcloud.data.readers import Reading, read_measured, read_points

POINTS = [[1.5, 2, 3], [4, 5.25, 6]]

READ = {
    "CloudCompare": "//X Y Z R G B\n1.5 2 3 9 9 9\n4 5.25 6 9 9 9\n",
    "CloudCompare, commas": "//X,Y,Z,Scalar field\n1.5,2,3,0.5\n4,5.25,6,0.5\n",
    "CloudCompare, the names by blanks": "//X Y Z\n1.5,2,3\n4,5.25,6\n",
    "CloudCompare, with a count": "//X Y Z R G B\n2\n1.5 2 3 9 9 9\n4 5.25 6 9 9 9\n",
    "a count first": "2\n1.5 2 3\n4 5.25 6\n",
    "a European spreadsheet": "x;y;z\n1,5;2;3\n4;5,25;6\n",
    "whole numbers first": "x;y;z\n1,5;2,0;3\n4;5,25;6\n",
    "decimal commas between blanks": "1,5 2,0 3,0\n4,0 5,25 6,0\n",
    "decimal commas between tabs": "x\ty\tz\n1,5\t2\t3\n4\t5,25\t6\n",
    "decimal commas in quotes": '"x","y","z"\n"1,5","2","3"\n"4","5,25","6"\n',
    "a word about the separator": "sep=;\nx;y;z\n1.5;2;3\n4;5.25;6\n",
    "trailing commas": "1.5,2,3,\n4,5.25,6,\n",
    "trailing commas under names": "x,y,z,\n1.5,2,3,\n4,5.25,6,\n",
    "a word behind each row": "1.5,2,3,chair\n4,5.25,6,chair\n",
    "a word before each row": "chair 1.5 2 3\nchair 4 5.25 6\n",
    "a word that changes": "1.5 2 3 a\n4 5.25 6 b\n",
    "quoted names": '"X","Y","Z"\n1.5,2,3\n4,5.25,6\n',
    "quoted words with commas": 'name,x,y,z\n"a, b",1.5,2,3\n"c",4,5.25,6\n',
    "a byte order mark": "\ufeffx,y,z\n1.5,2,3\n4,5.25,6\n",
    "lines that end by CR": "x,y,z\r1.5,2,3\r4,5.25,6\r",
    "lines that end by CR LF": "x,y,z\r\n1.5,2,3\r\n4,5.25,6\r\n",
    "a comment with names": "# id x [m] y [m] z [m]\n7 1.5 2 3\n8 4 5.25 6\n",
    "a comment without": "% made by us\n1.5 2 3\n4 5.25 6\n",
    "units in a line of their own": "x,y,z\nm,m,m\n1.5,2,3\n4,5.25,6\n",
    "a title": "Scan 12\nx y z\n1.5 2 3\n4 5.25 6\n",
    "pandas' index": ",x,y,z\n0,1.5,2,3\n1,4,5.25,6\n",
    "R's names of rows": '"x" "y" "z"\n"1" 1.5 2 3\n"2" 4 5.25 6\n',
    "units in brackets": "t [s],X [m],Y [m],Z [m]\n0,1.5,2,3\n0,4,5.25,6\n",
    "units in round ones": "X (mm) Y (mm) Z (mm)\n1.5 2 3\n4 5.25 6\n",
    "units behind": "x_m,y_m,z_m\n1.5,2,3\n4,5.25,6\n",
    "PositionX": "Id,PositionX,PositionY,PositionZ,NormalX\n7,1.5,2,3,0\n7,4,5.25,6,0\n",
    "pos.x": "pos.z,pos.y,pos.x\n3,2,1.5\n6,5.25,4\n",
    "coordinates": "x_coord;y_coord;z_coord\n1.5;2;3\n4;5.25;6\n",
    "ParaView": '"Normals:0","Normals:1","Normals:2","Points:0","Points:1","Points:2"\n'
    "0,0,1,1.5,2,3\n0,0,1,4,5.25,6\n",
    "VeloView": "Points_m_XYZ:0,Points_m_XYZ:1,Points_m_XYZ:2,azimuth\n1.5,2,3,9\n4,5.25,6,9\n",
    "Houdini": "P[x] P[y] P[z]\n1.5 2 3\n4 5.25 6\n",
    "a surveyor": "Point Northing Easting Elevation\n1 2 1.5 3\n2 5.25 4 6\n",
    "a surveyor in metres": "Easting (m)\tNorthing (m)\tHeight (m)\n1.5\t2\t3\n4\t5.25\t6\n",
    "east north up": "east,north,up\n1.5,2,3\n4,5.25,6\n",
    "plain axes before others": "pos_x,pos_y,pos_z,x,y,z\n0,0,0,1.5,2,3\n0,0,0,4,5.25,6\n",
    "molecules": "2\nby us\nC 1.5 2 3\nO 4 5.25 6\n",
    "a title alone": "Scan\n1.5 2 3\n4 5.25 6\n",
    "an exclamation": "! made by us on 1 May\n1.5 2 3\n4 5.25 6\n",
    "E57's names": "cartesianX,cartesianY,cartesianZ\n1.5,2,3\n4,5.25,6\n",
    "Fortran's exponents": "1.5D+00 0.2D1 3\n4 525D-2 6\n",
}


@pytest.mark.parametrize("name", READ)
def test_tables_of_many_habits(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(READ[name].encode())
    assert read_points(path).tolist() == POINTS


def test_a_typographers_minus(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y,z\n\u22121.5,2,3\n4,\u22125.25,6\n", encoding="utf-8")
    assert read_points(path).tolist() == [[-1.5, 2, 3], [4, -5.25, 6]]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("x;y;z;größe\n1,5;2;3;0\n4;5,25;6;0\n".encode(encoding))
    assert read_points(path).tolist() == POINTS


REFUSED = {
    "x y colour\n1 2 3\n": ("(have: `x`, `y`, `colour`)", "`preprocess.columns: [a, b, c]`"),
    "time,a,b,c\n0,1,2,3\n": ("(have: `time`, `a`, `b`, `c`)",),
    "lon,lat,height\n0,1,2\n": ("(have: `lon`, `lat`, `height`)",),
    "x:y:z\n1.5:2:3\n4:5:6\n": ("no rows of numbers that are apart: `4:5:6` is one word",),
    "x,y\n1.5,2\n3.5,4\n": ("no rows of numbers",),
    "V1;V2;V3\n1;2;3\n": ("none of its columns are called x, y and z",),
    "x,x,y,z\n1,1,2,3\n": ("(have: `x`, `x`, `y`, `z`)",),
    "nx,ny,nz\n1,2,3\n": ("(have: `nx`, `ny`, `nz`)",),
    "x,y,z\n1,2,3\n4,oops,6\n": ("its row 2 has `oops` for a number",),
    "x;y;z\n1;2;3\n1.234,5;2;3\n": ("its row 2 has `1.234,5` for a number",),
    "1,2,3\n4,5\n": ("its row 2 has 2 columns",),
    "1 2 3\n4 5_0 6\n": ("`5_0` for a number",),
    "9\n1 2 3\n4 5 6\n": ("it promises 9 points and has 2",),
    "1 2\n3 4\n": ("it has 2 columns of numbers",),
    "x,y,z\n": ("it has no rows of numbers",),
    "12\n": ("it has no rows of numbers",),
    "a\0b c\n1 2 3\n": ("it is no text (line 1 has a control character)",),
    "1 2 3\r\n4 5 6\r\n7 8\x10 9\r\n": ("it is no text (line 3 has a control character)",),
    "1 2 3\r4 5\x10 6\r": ("it is no text (line 2 has a control character)",),
    "\x1b[31mx y z\n1 2 3\n": ("it is no text",),
}


def test_heights_in_a_raster_are_no_points(tmp_path: Path, fails: Callable) -> None:
    """Esri's grids are called `.asc`, as CloudCompare's clouds are."""
    path = tmp_path / "dem.asc"
    header = "NCOLS 4\nnrows 2\nxllcorner 100.0\nyllcorner 200.0\ncellsize 1\n"
    path.write_text(header + "NODATA_value -9999\n1 2 3 4\n5 6 7 8\n")
    fails(lambda: read_points(path), "dem.asc` cannot", "a raster of heights", "gdal_translate")
    path.write_text("1 2 3 4\n5 6 7 8\n")
    assert read_points(path).tolist() == [[1, 2, 3], [5, 6, 7]]


@pytest.mark.parametrize("text", REFUSED)
def test_tables_that_are_refused(tmp_path: Path, fails: Callable, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    fails(lambda: read_points(path), f"`{path}` cannot be read as `.csv`: ", *REFUSED[text])


def test_columns_by_name_and_by_number(tmp_path: Path, fails: Callable) -> None:
    path = tmp_path / "a.csv"

    def read(*axes: str | int, extra: tuple[str | int, ...] = ()) -> list[list[float]]:
        return read_measured(path, Reading(wanted=Wanted(axes, extra)))[0].tolist()

    path.write_text("a,b,c,d,Intensity\n1,2,3,4,9\n5,6,7,8,10\n")
    assert read("b", "c", "d") == [[2, 3, 4], [6, 7, 8]]
    assert read(3, "a", 1) == [[4, 1, 2], [8, 5, 6]]
    assert read("a", "b", "c", extra=("intensity", 3)) == [[1, 2, 3, 9, 4], [5, 6, 7, 10, 8]]
    fails(lambda: read("a", "b", "q"), "no column `q` (have: `a`, `b`, `c`, `d`, `Intensity`)")
    fails(lambda: read("a", "b", 7), "it has no column 7")
    path.write_text("1,2,3,4\n5,6,7,8\n")
    assert read(1, 2, 3) == [[2, 3, 4], [6, 7, 8]]
    assert read(extra=(3,)) == [[1, 2, 3, 4], [5, 6, 7, 8]]
    fails(lambda: read("a", "b", "c"), "its 4 columns have no names, so that there is no `a`")
    fails(lambda: read(1, 2, 4), "it has no column 4, its 4 are 0 to 3")
    path.write_text("# a b c d\n1 2 3 4\n5 6 7 8\n")
    assert read("d", "b", "c") == [[4, 2, 3], [8, 6, 7]]


def test_empty_cells_are_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y,z\n1,2,3\n,,\n4,NA,6\n7,8,9\n-nan(ind),8,9\n7,1.#IND,9\n7,8,-1.#INF00\n")
    points, left_out = read_measured(path, Reading())
    assert points.tolist() == [[1, 2, 3], [7, 8, 9]]
    assert left_out == {"NaN or infinite": 5}


def test_leica_pts(tmp_path: Path, fails: Callable) -> None:
    """A count and x y z intensity r g b; several scans stand behind each other."""
    path = tmp_path / "a.pts"
    path.write_text("2\n1 2 3 -50 10 20 30\n4 5 6 7 40 50 60\n1\n7 8 9 0 70 80 90\n")
    assert read_points(path).tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    wanted = Wanted(extra=("red", "intensity"))
    found = read_measured(path, Reading(wanted=wanted))[0]
    assert found.tolist() == [[1, 2, 3, 10, -50], [4, 5, 6, 40, 7], [7, 8, 9, 70, 0]]
    path.write_text("3\n1 2 3 0\n4 5 6 0\n")
    fails(lambda: read_points(path), "it promises 3 points and has 2")


def test_names_that_are_no_axes() -> None:
    assert axes_of(["vx", "vy", "vz"]) is None
    assert axes_of(["normal_x", "normal_y", "normal_z"]) is None
    assert axes_of(["0", "1", "2"]) is None
    assert axes_of(["x", "pos_y", "z"]) is None


def test_a_long_table(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    rows = np.arange(30_000.0).reshape(-1, 3)
    np.savetxt(path, rows, fmt="%.3f")
    assert np.array_equal(read_points(path), rows)
