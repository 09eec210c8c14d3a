package import Tape

extension Colouring {
  /// The host's own colours (from 1; 0 neutral), accepted where every entry can be read off directly; else the entry that cannot be is named.
  package static func given(_ p: Pattern, _ kind: ColouringKind, rows: [Int32], columns: [Int32]) throws(Failure) -> Colouring {
    let symmetric = kind.isSymmetric
    func check(_ list: [Int32], _ n: Int, _ what: String) throws(Failure) {
      guard list.count == n else { throw Failure(.invalid, "color: \(list.count) colors of \(n) \(what)") }
      for (i, c) in list.enumerated() where c < 0 || Int(c) > n { throw Failure(.invalid, "color: \(what) \(i) has color \(c); colors count from 1, 0 is neutral, \(n) is the most") }
    }
    guard !kind.substitutes else { throw Failure(.invalid, "color: given colors are read directly; kind is column, row, star or star_bicoloring") }
    if symmetric, let (i, j) = p.asymmetry { throw Failure(.invalid, "color: the pattern is not symmetric: it has entry (\(i), \(j)) and not (\(j), \(i))") }
    if kind != .row { try check(columns, p.columnCount, "columns") }
    if kind == .row || kind == .starBicolouring { try check(rows, p.rowCount, "rows") }
    var result = Colouring(kind: kind)
    if kind != .row { (result.columnColours, result.columnCount) = (columns, Int(columns.max() ?? 0)) }
    if kind == .row || kind == .starBicolouring { (result.rowColours, result.rowCount) = (rows, Int(rows.max() ?? 0)) }
    // alone[e]: no other entry of the row has the color of e's column; likewise by column.
    let t = p.transposed
    var byRow = [Bool](repeating: false, count: p.count), byColumn = byRow
    func mark(_ q: Pattern, _ colours: [Int32], _ flags: inout [Bool]) {
      var seen = [Int32](repeating: 0, count: Int(colours.max() ?? 0) + 1)
      for i in 0 ..< q.rowCount {
        for j in q.row(i) { seen[Int(colours[Int(j)])] += 1 }
        for e in q.starts[i] ..< q.starts[i + 1] {
          let c = Int(colours[Int(q.columns[e])])
          flags[e] = c > 0 && seen[c] == 1
        }
        for j in q.row(i) { seen[Int(colours[Int(j)])] = 0 }
      }
    }
    if kind != .row { mark(p, columns, &byRow) }
    if kind == .row || kind == .starBicolouring {
      var flags = byColumn
      mark(t, rows, &flags)
      var next = p.starts
      for j in 0 ..< t.rowCount {
        for e in t.starts[j] ..< t.starts[j + 1] {
          byColumn[next[Int(t.columns[e])]] = flags[e]
          next[Int(t.columns[e])] += 1
        }
      }
    }
    for i in 0 ..< p.rowCount {
      for e in p.starts[i] ..< p.starts[i + 1] {
        let j = Int(p.columns[e])
        if byRow[e] {
          result.reading.append(0, columns[j] - 1, Int32(i))
        } else if byColumn[e] {
          result.reading.append(1, rows[i] - 1, p.columns[e])
        } else if symmetric, let f = p.entry(j, i), byRow[f] {
          result.reading.append(0, columns[i] - 1, Int32(j))
        } else {
          throw Failure(.invalid, "color: the colors clash: entry (\(i), \(j)) cannot be read off, for another entry of its \(kind == .row ? "column" : "row") has the same color\(kind == .star || kind == .starBicolouring ? " either way" : "")")
        }
      }
    }
    return result
  }
}

extension Reading {
  mutating func append(_ side: UInt8, _ colour: Int32, _ line: Int32) {
    sides.append(side)
    colours.append(colour)
    lines.append(line)
  }
}
