/// The limits of the encoding.
public enum Limit {
  /// Octets of a shortstr: its length is one octet.
  public static var shortstrOctets: Int { 255 }
  /// Octets of a longstr, of a table or of an array: the length is a long.
  public static var longstrOctets: Int { 0xFFFF_FFFF }
  /// Tables and arrays within one another, the outermost included, in what a program hands in: each level is a stack frame
  /// or two, on a thread whose stack may be small, and a table that holds itself has no end.
  public static var fieldDepth: Int { 100 }
}
