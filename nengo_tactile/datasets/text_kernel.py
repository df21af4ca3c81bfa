"""Rows of numbers in text, compiled on first use: what is plain, ten times as fast as NumPy."""

import numpy as np

#: Whole numbers up to here are floats exactly, and so are powers of ten up to 22: their quotient is
#: the nearest float (Clinger, "How to read floating point numbers accurately", PLDI 1990).
EXACT = 2**53
POWERS = 10.0 ** np.arange(23)


def parse(content, delimiter, places, n_columns, n_rows, powers, exact):
    """Read rows of numbers. Compiled by numba.

    Parameters
    ----------
    content : (n_bytes,) uint8 array
        Whole lines.
    delimiter : int
        Code of the character between columns; 0 for white space.
    places : (n_columns,) int array
        Where each column goes; -1 for nowhere.
    n_columns, n_rows : int
        Of each row; rows at most.
    powers, exact
        `POWERS`, `EXACT`.

    Returns
    -------
    values : (n_rows, n_kept) float array
        Only the first rows are filled:
    n_found : int
        So many; -1 where something is not plain, which NumPy has to judge.
    """
    values = np.empty((n_rows, places.max() + 1))
    place, end, row = 0, content.size, 0
    while place < end:
        # the beginning of a line: blanks, and lines without numbers
        while place < end and (content[place] == 32 or content[place] == 9):
            place += 1
        if place < end and content[place] == 35:  # "#"
            while place < end and content[place] != 10:
                place += 1
        if place < end and content[place] == 13:
            place += 1
        if place >= end:
            break
        if content[place] == 10:
            place += 1
            continue
        if row == n_rows:
            return values, -1
        for column in range(n_columns):
            while place < end and (content[place] == 32 or content[place] == 9):
                place += 1
            negative = False
            if place < end and (content[place] == 45 or content[place] == 43):
                negative = content[place] == 45
                place += 1
            mantissa, n_digits, fraction = 0, 0, 0
            while place < end and 48 <= content[place] <= 57:
                mantissa = mantissa * 10 + (content[place] - 48)
                n_digits += 1
                place += 1
                if mantissa >= exact:
                    return values, -1
            if place < end and content[place] == 46:  # "."
                place += 1
                while place < end and 48 <= content[place] <= 57:
                    mantissa = mantissa * 10 + (content[place] - 48)
                    n_digits += 1
                    fraction += 1
                    place += 1
                    if mantissa >= exact:
                        return values, -1
            if n_digits == 0:
                return values, -1
            exponent = 0
            if place < end and (content[place] == 101 or content[place] == 69):  # "e"
                place += 1
                down = False
                if place < end and (content[place] == 45 or content[place] == 43):
                    down = content[place] == 45
                    place += 1
                first = place
                while place < end and 48 <= content[place] <= 57 and place < first + 4:
                    exponent = exponent * 10 + (content[place] - 48)
                    place += 1
                if place == first:
                    return values, -1
                exponent = -exponent if down else exponent
            exponent -= fraction
            if not -22 <= exponent <= 22:
                return values, -1
            value = mantissa / powers[-exponent] if exponent < 0 else mantissa * powers[exponent]
            if places[column] >= 0:
                values[row, places[column]] = -value if negative else value
            blank = False
            while place < end and (content[place] == 32 or content[place] == 9):
                blank = True
                place += 1
            last = column == n_columns - 1
            if place < end and content[place] == 13:
                place += 1
                if place < end and content[place] != 10:
                    return values, -1
            if place == end or content[place] == 10:
                if not last:
                    return values, -1
                place += 1
            elif last or (delimiter and content[place] != delimiter) or not (delimiter or blank):
                return values, -1
            elif delimiter:
                place += 1
        row += 1
    return values, row
