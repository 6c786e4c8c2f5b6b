echo cd >'c d'
