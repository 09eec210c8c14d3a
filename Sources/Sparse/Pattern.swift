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
