import Tape

/// Which entries of a matrix may be other than zero, row by row: row i's columns are columns[starts[i] ..< starts[i + 1]], ascending, each once.
package struct Pattern: Sendable, Equatable {
  package let rowCount: Int, columnCount: Int
  package let starts: [Int]
  package let columns: [Int32]

  package var count: Int { columns.count }
  package func row(_ i: Int) -> ArraySlice<Int32> { columns[starts[i] ..< starts[i + 1]] }

  /// For rows that are ascending, without repeats and within bounds.
  package init(rowCount: Int, columnCount: Int, starts: [Int], columns: [Int32]) {
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.starts = starts
    self.columns = columns
  }

  /// The columns as rows: what CSC holds. Linear in the entries.
  package var transposed: Pattern {
    var next = [Int](repeating: 0, count: columnCount + 1)
    for j in columns { next[Int(j) + 1] += 1 }
    for j in 0 ..< columnCount { next[j + 1] += next[j] }
    let ends = next
    var rows = [Int32](repeating: 0, count: count)
    for i in 0 ..< rowCount {
      for j in row(i) {
        rows[next[Int(j)]] = Int32(i)
        next[Int(j)] += 1
      }
    }
    return Pattern(rowCount: columnCount, columnCount: rowCount, starts: ends, columns: rows)
  }
}

extension Pattern {
  /// The number of entry (i, j), if there is one.
  package func entry(_ i: Int, _ j: Int) -> Int? {
    var low = starts[i], high = starts[i + 1]
    while low < high {
      let m = (low + high) / 2
      if Int(columns[m]) < j { low = m + 1 } else { high = m }
    }
    return low < starts[i + 1] && Int(columns[low]) == j ? low : nil
  }

  /// An entry whose mirror is missing.
  package var asymmetry: (Int, Int)? {
    let t = transposed
    if t.starts == starts, t.columns == columns { return nil }
    for i in 0 ..< rowCount { for j in row(i) where entry(Int(j), i) == nil { return (i, Int(j)) } }
    return nil
  }

  /// Of entries in any order: sorted, each once. Rows and columns count from 0 and are within bounds.
  package init(rowCount m: Int, columnCount n: Int, rows: [Int32], columns: [Int32]) {
    var at = [Int](repeating: 0, count: n + 1)
    for j in columns { at[Int(j) + 1] += 1 }
    for j in 0 ..< n { at[j + 1] += at[j] }
    // By column, then by row: each pass keeps the order of the one before.
    var byColumn = [Int32](repeating: 0, count: columns.count)
    for k in columns.indices {
      byColumn[at[Int(columns[k])]] = Int32(truncatingIfNeeded: k)
      at[Int(columns[k])] += 1
    }
    var starts = [Int](repeating: 0, count: m + 1)
    for i in rows { starts[Int(i) + 1] += 1 }
    for i in 0 ..< m { starts[i + 1] += starts[i] }
    var next = starts, list = [Int32](repeating: 0, count: rows.count)
    for k in byColumn {
      let i = Int(rows[Int(k)])
      list[next[i]] = columns[Int(k)]
      next[i] += 1
    }
    var kept = 0, ends = [0]
    ends.reserveCapacity(m + 1)
    for i in 0 ..< m {
      let first = kept
      for k in starts[i] ..< starts[i + 1] where kept == first || list[kept - 1] != list[k] {
        list[kept] = list[k]
        kept += 1
      }
      ends.append(kept)
    }
    list.removeLast(list.count - kept)
    self.init(rowCount: m, columnCount: n, starts: ends, columns: list)
  }
}
